// Types of launch.mjs, for the tests and benchmarks that use it.
export const root: string;
export const nodePackage: string | undefined;
export const compileCache: string;
export function findNode(): string | undefined;
export function currentBundle(directory?: string): string | undefined;
export function launch(args: readonly string[]): Promise<void>;
