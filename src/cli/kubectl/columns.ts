// Rows of text in aligned columns, with the widths of kubectl's printer.

const least = 6;
const gap = 3;

/** Aligns rows; widths are remembered, so that a stream of rows keeps those of its widest so far. The last cell of a row is not padded. */
export class Columns {
  readonly #widths: number[] = [];

  /** Ends with a line break unless there are no rows. */
  text(rows: readonly (readonly string[])[]): string {
    for (const row of rows)
      for (const [index, cell] of row.slice(0, -1).entries())
        this.#widths[index] = Math.max(this.#widths[index] ?? least, widthOf(cell) + gap);
    return rows.map((row) => `${row.map((cell, index) => this.#padded(cell, index, row.length)).join("")}\n`).join("");
  }

  #padded(cell: string, index: number, length: number): string {
    return index === length - 1 ? cell : cell + " ".repeat((this.#widths[index] ?? least) - widthOf(cell));
  }
}

/** In characters, as Go counts runes. */
const widthOf = (text: string): number => (/^[\x20-\x7e]*$/.test(text) ? text.length : [...text].length);
