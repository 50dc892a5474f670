// The front door of `cluster`.
export {};
