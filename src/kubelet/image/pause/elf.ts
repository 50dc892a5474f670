// Puts an ELF header in front of position-independent machine code: a static program of a few hundred bytes.

export type Machine = "amd64" | "arm64";

const machineNumber: Readonly<Record<Machine, number>> = { amd64: 62, arm64: 183 };
const headerLength = 64;
const programHeaderLength = 56;
const loadAddress = 0x400000n;

/** One read-and-execute segment that holds the headers and the code; the code starts right behind them (ELF-64, little-endian). */
export function elfProgram(machine: Machine, code: Buffer): Buffer {
  const entry = headerLength + programHeaderLength;
  const file = Buffer.alloc(entry + code.length);
  file.write("\x7fELF", 0, "latin1");
  file.set([2, 1, 1], 4); // 64 bits, little-endian, version 1
  file.writeUInt16LE(2, 16); // executable
  file.writeUInt16LE(machineNumber[machine], 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(loadAddress + BigInt(entry), 24);
  file.writeBigUInt64LE(BigInt(headerLength), 32); // program headers follow the header
  file.writeUInt16LE(headerLength, 52);
  file.writeUInt16LE(programHeaderLength, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt16LE(64, 58); // size of a section header, of which there are none

  file.writeUInt32LE(1, headerLength); // PT_LOAD
  file.writeUInt32LE(5, headerLength + 4); // read, execute
  file.writeBigUInt64LE(loadAddress, headerLength + 16);
  file.writeBigUInt64LE(loadAddress, headerLength + 24);
  file.writeBigUInt64LE(BigInt(file.length), headerLength + 32);
  file.writeBigUInt64LE(BigInt(file.length), headerLength + 40);
  file.writeBigUInt64LE(0x10000n, headerLength + 48); // alignment that suits 64 KiB pages too
  code.copy(file, entry);
  return file;
}
