// The front door of `proxy`.
export {};
