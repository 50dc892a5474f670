// The front door of `dns`.
export {};
