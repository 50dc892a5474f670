// The front door of `scheduler`.
export {};
