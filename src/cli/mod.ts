// The front door of `cli`.
export {};
