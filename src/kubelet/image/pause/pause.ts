// The pause program: the machine code of pause-<machine>.s, assembled (`as`, `objcopy -O binary -j .text`).
import { elfProgram, type Machine } from "./elf.ts";

const code: Readonly<Record<Machine, string>> = {
  amd64:
    "uA4AAAAx/0iNNVoAAAAx0kG6CAAAAA8FuIAAAABIjT1EAAAAMfYx0kG6CAAAAA8Fg/gRdBOD+AJ0BYP4D3XZuOcAAAAx/w8FuD0AAABIx8f/////Mfa6AQAAAEUx0g8FhcB/5OuyZpACQAEAAAAAAA==",
  arm64:
    "6BCA0gAAgNKBAwAQAgCA0gMBgNIBAADUKBGA0uACABABAIDSAgCA0gMBgNIBAADUH0QAcQABAFQfCABxYAAAVB88AHGh/v9UyAuA0gAAgNIBAADUiCCA0gAAgJIBAIDSIgCA0gMAgNIBAADUHwAAcSz//1Tp//8XAkABAAAAAAA=",
};

export const pauseProgram = (machine: Machine): Buffer => elfProgram(machine, Buffer.from(code[machine], "base64"));
