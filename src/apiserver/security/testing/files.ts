// Files in memory, for tests.
import type { Files } from "#base";

export class MemoryFiles implements Files {
  readonly contents = new Map<string, { data: Buffer; mode: number }>();

  async read(path: string): Promise<Buffer> {
    const found = this.contents.get(path);
    if (found === undefined) throw Object.assign(new Error(`ENOENT: ${path}`), { code: "ENOENT" });
    return found.data;
  }
  async write(path: string, data: Uint8Array | string, mode = 0o644): Promise<void> {
    this.contents.set(path, { data: Buffer.from(data as string), mode }); // Buffer.from takes both
  }
  writeAtomic = (path: string, data: Uint8Array | string, mode?: number): Promise<void> => this.write(path, data, mode);
  async append(path: string, data: Uint8Array | string): Promise<void> {
    const before = this.contents.get(path);
    await this.write(path, Buffer.concat([before?.data ?? Buffer.alloc(0), Buffer.from(data as string)]), before?.mode);
  }
  async makeDirectory(): Promise<void> {}
  async list(directory: string): Promise<string[]> {
    return [...this.contents.keys()]
      .filter((path) => path.startsWith(`${directory}/`))
      .map((path) => path.slice(directory.length + 1));
  }
  async stat(path: string): ReturnType<Files["stat"]> {
    const found = this.contents.get(path);
    return found && { kind: "file", size: found.data.length, mode: found.mode, mtimeMs: 0, uid: 0, gid: 0 };
  }
  async rename(from: string, to: string): Promise<void> {
    this.contents.set(to, this.contents.get(from) ?? { data: Buffer.alloc(0), mode: 0o644 });
    this.contents.delete(from);
  }
  async remove(path: string): Promise<void> {
    this.contents.delete(path);
  }
  removeDirectory = unsupported;
  diskBytes = unsupported;
  symlink = unsupported;
  readLink = unsupported;
  chmod = unsupported;
  chown = unsupported;
}

const unsupported = (): Promise<never> => Promise.reject(new Error("MemoryFiles: not supported"));
