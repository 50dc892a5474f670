// System calls that fail or kill: strace's injection, for the files of one data directory.
import { join } from "node:path";

/** Every call by which the store changes what is on disk. */
export const writingCalls = "openat,mkdir,write,pwrite64,ftruncate,fallocate,fsync,fdatasync,rename,unlink,unlinkat";

export const storeFiles = [
  "store.db",
  "store.db-wal",
  "store.db-shm",
  "store.db-journal",
  "acknowledged",
  "reserve",
  "lock",
  "pid",
];

interface Injection {
  readonly directory: string;
  /** Names in the directory; "" is the directory itself. Calls on other files are not counted. */
  readonly files: readonly string[];
  readonly calls: string;
  /** In strace's words: "signal=KILL:when=3". Absent: nothing, the calls are only listed. */
  readonly inject?: string;
  /** Where the calls are listed; default: nowhere. */
  readonly output?: string;
}

/** The words before the command. Calls are counted in each thread by itself. Not --seccomp-bpf, under which nothing is injected. */
export function strace({ directory, files, calls, inject, output }: Injection): string[] {
  return [
    "strace",
    "--follow-forks",
    "-qqq",
    `--output=${output ?? "/dev/null"}`,
    `--trace=${calls}`,
    ...(inject === undefined ? [] : [`--inject=${calls}:${inject}`]),
    ...files.map((file) => `--trace-path=${join(directory, file)}`),
  ];
}
