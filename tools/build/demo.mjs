// npm run demo: sets up, builds what the page can choose, serves it and prints its address.
//   node tools/build/demo.mjs [--port N] [--no-isolation] [--all-variants]
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
  const port = args.includes('--port') ? ['--port', args[args.indexOf('--port') + 1]] : [];
  const server = spawn(process.execPath, [join(root, 'node_modules/vite/bin/vite.js'), join(root, 'web-demo'), ...port],
    { stdio: 'inherit', env: { ...process.env, ...(args.includes('--no-isolation') ? { CLIPGLOT_NO_ISOLATION: '1' } : {}) } });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.kill(signal));
  server.on('exit', (code) => process.exit(code ?? 0));
});
