// npm run demo: sets up, builds what the page can choose, serves it and prints its address.
//   node tools/build/demo.mjs [--all-variants] [flags of web-demo/serve.mjs: --port N --no-isolation --open]
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { log, runMain } from '../setup/log.mjs';
import { root } from '../setup/paths.mjs';
import { buildFor, variants } from './steps.mjs';

// A current browser takes relaxed SIMD with threads where the page is isolated, as here it is. Browsers
// without relaxed SIMD, and pages without isolation, take the plain one.
const pageVariants = ['relaxed-simd-threads', 'simd'];

await runMain(async () => {
  const args = process.argv.slice(2);
  const all = args.includes('--all-variants');
  await buildFor({ variants: all ? variants : pageVariants, js: true });
  log('starting the page', 'demo');
  const flags = args.filter((arg) => arg !== '--all-variants');
  const server = spawn(process.execPath, [join(root, 'web-demo/serve.mjs'), ...flags], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.kill(signal));
  server.on('exit', (code) => process.exit(code ?? 0));
});
