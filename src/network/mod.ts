// The front door of `network`.
export {};
