// Why a file is not opened.

/** What it holds is not what was written. */
export class Corrupt extends Error {}

/** A newer version of this program has written it. */
export class Newer extends Error {}
