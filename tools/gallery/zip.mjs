// Writes ZIP archives whose files are stored as they are, so that whoever knows offset and length of one needs no
// ZIP reader: the PNG files inside are compressed already. Always the same bytes for the same files.

import { crc32 } from "node:zlib";

const dosDate = (0 << 9) | (1 << 5) | 1; // 1 January 1980, the first day that the format knows

/**
 * @param {{ name: string, bytes: Buffer }[]} files names in ASCII
 * @returns {{ archive: Buffer, offsets: number[] }} offsets: where the bytes of each file begin in the archive
 */
export function storeFiles(files) {
  const parts = [];
  const directory = [];
  const offsets = [];
  let position = 0;
  for (const { name, bytes } of files) {
    const shared = Buffer.alloc(26); // version … length of the extra field, the same in both headers
    shared.writeUInt16LE(20, 0);
    shared.writeUInt16LE(dosDate, 8);
    shared.writeUInt32LE(crc32(bytes), 10);
    shared.writeUInt32LE(bytes.length, 14);
    shared.writeUInt32LE(bytes.length, 18);
    shared.writeUInt16LE(name.length, 22);
    const header = Buffer.concat([
      Buffer.from("PK\x03\x04", "latin1"),
      shared,
      Buffer.from(name, "latin1"),
    ]);
    const entry = Buffer.concat([
      Buffer.from("PK\x01\x02\x14\x00", "latin1"),
      shared,
      Buffer.alloc(14),
      Buffer.from(name, "latin1"),
    ]);
    entry.writeUInt32LE(position, 42);
    offsets.push(position + header.length);
    parts.push(header, bytes);
    directory.push(entry);
    position += header.length + bytes.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(position, 16);
  return { archive: Buffer.concat([...parts, entries, end]), offsets };
}
