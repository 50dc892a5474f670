// The front door of `sim`.
export {};
