// The second thread: reads older versions and copies the write-ahead log into the file, so that commits wait for neither.
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { crc32 } from "node:zlib";
import { databaseFile } from "./directory.ts";
import { failureOf } from "./failure.ts";
import type { Answer, Reply, Request } from "./protocol.ts";
import { writerSettings } from "./schema.ts";
import { sizeOfRecord, WireWriter } from "./wire.ts";

const { directory } = workerData as { readonly directory: string };
const port = parentPort as NonNullable<typeof parentPort>; // this file runs as a worker only

const database = new DatabaseSync(databaseFile(directory), { timeout: 5000 });
database.exec(writerSettings);
const select = database.prepare(
  "SELECT revision, key, created, version, CAST(lease AS TEXT), crc, value, sub FROM changes WHERE row=?",
);
select.setReturnArrays(true);

type Row = readonly [
  revision: number,
  key: Uint8Array,
  created: number,
  version: number,
  lease: string,
  crc: number,
  value: Uint8Array,
  sub: number,
];

/** An answer ends with the record that fills it: whoever asked has only so much of what is on its way in memory. */
const answerBytes = 4 * 1024 * 1024;

/** What is still there of those rows, as far as an answer goes. */
function read(rows: Float64Array): Answer {
  const found: { readonly row: number; readonly key: string; readonly data: Row }[] = [];
  let size = 0;
  let count = 0;
  for (const row of rows) {
    if (size >= answerBytes) break;
    count++;
    const data = select.get(row) as unknown as Row | undefined;
    if (data === undefined) continue;
    const key = Buffer.from(data[1]).toString("latin1");
    size += sizeOfRecord(key, data[6].length);
    found.push({ row, key, data });
  }
  const writer = new WireWriter(size);
  for (const { row, key, data } of found) {
    const [revision, , created, version, lease, crc, value, sub] = data;
    const bytes = writer.write(row, revision, sub, key, created, version, BigInt(lease), value);
    if (crc32(bytes) !== crc) {
      throw Object.assign(new Error(`row ${row} (key "${key}", revision ${revision}) does not match its checksum`), {
        errcode: 11,
      });
    }
  }
  return { rows: count, buffer: writer.buffer, length: writer.length };
}

port.on("message", ({ id, request }: { readonly id: number; readonly request: Request }) => {
  try {
    if (request.kind === "read") {
      const value = read(request.rows);
      port.postMessage({ kind: "done", id, value } satisfies Reply, [value.buffer]);
      return;
    }
    let value: unknown;
    if (request.kind === "checkpoint") value = database.prepare(`PRAGMA wal_checkpoint(${request.mode})`).get();
    if (request.kind === "close") database.close();
    port.postMessage({ kind: "done", id, value } satisfies Reply);
    if (request.kind === "close") port.close();
  } catch (error) {
    port.postMessage({ kind: "failed", id, failure: failureOf(error) } satisfies Reply);
  }
});
