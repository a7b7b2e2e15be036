// Which files the core decodes itself, told by their first bytes.

const signatures: readonly (readonly number[])[] = [
  [0xff, 0xd8, 0xff], // JPEG
  [0x89, 0x50, 0x4e, 0x47], // PNG
  [0x47, 0x49, 0x46, 0x38], // GIF
  [0x42, 0x4d], // BMP
];

export function coreDecodes(file: Uint8Array): boolean {
  return signatures.some((signature) => signature.every((byte, i) => file[i] === byte));
}
