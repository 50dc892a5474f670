// The front door of `controllers`.
export {};
