// Refuses transactions that etcd refuses before they run: no key, too large, two writes of one key.
import type { Compare, Key, Operation, Transaction } from "../store.ts";
import { duplicateKey, emptyKey, tooLarge } from "./messages.ts";
import { inInterval } from "./range.ts";

/** Default of etcd's --max-request-bytes. */
export const maxRequestBytes = 1.5 * 1024 * 1024;

/** Throws a StoreError when the shape of the transaction is wrong whatever the state of the store. */
export function checkTransaction(transaction: Transaction): void {
  if (sizeOf(transaction) > maxRequestBytes) throw tooLarge();
  const { then } = transaction;
  // The one-put transaction is nearly all of the traffic: nothing in it can clash.
  if (then.length === 1 && then[0]?.kind !== "txn" && transaction.else === undefined) return;
  checkWrites(then);
  if (transaction.else !== undefined) checkWrites(transaction.else);
}

function sizeOf(transaction: Transaction): number {
  let size = 0;
  for (const compare of transaction.if) size += sizeOfCompare(compare);
  for (const operation of transaction.then) size += sizeOfOperation(operation);
  for (const operation of transaction.else ?? []) size += sizeOfOperation(operation);
  return size;
}

function sizeOfCompare(compare: Compare): number {
  if (compare.key === "") throw emptyKey();
  return compare.key.length + (compare.target === "value" ? compare.value.length : 0);
}

function sizeOfOperation(operation: Operation): number {
  if (operation.kind === "txn") return sizeOf(operation);
  if (operation.key === "") throw emptyKey();
  return operation.key.length + (operation.kind === "put" ? operation.value.length : 0);
}

interface Deletion {
  readonly start: Key;
  readonly end: Key;
}

/** As etcd sees it here: a deletion "to the end of the key space" has an end below its start and so clashes with nothing. */
const deletionOf = (key: Key, end: Key | undefined): Deletion => ({ start: key, end: end ?? `${key}\0` });

/**
 * No key may be put twice, or put and deleted, on one path through the transaction. The branches of a nested transaction may overlap each
 * other, not what stands beside them. Returns all that may be written.
 */
function checkWrites(operations: readonly Operation[]): { readonly puts: Set<Key>; readonly deletions: Deletion[] } {
  const deletions: Deletion[] = [];
  for (const operation of operations) if (operation.kind === "delete") deletions.push(deletionOf(operation.key, operation.end));
  const puts = new Set<Key>();
  for (const operation of operations) {
    if (operation.kind !== "txn") continue;
    const taken = checkWrites(operation.then);
    const otherwise = checkWrites(operation.else ?? []);
    for (const key of new Set([...taken.puts, ...otherwise.puts])) {
      if (puts.has(key) || isDeleted(key, deletions)) throw duplicateKey();
      puts.add(key);
    }
    // As in etcd, puts before this nested transaction are not held against its deletions; those after it are.
    deletions.push(...taken.deletions, ...otherwise.deletions);
  }
  for (const operation of operations) {
    if (operation.kind !== "put") continue;
    if (puts.has(operation.key) || isDeleted(operation.key, deletions)) throw duplicateKey();
    puts.add(operation.key);
  }
  return { puts, deletions };
}

const isDeleted = (key: Key, deletions: readonly Deletion[]): boolean =>
  deletions.some(({ start, end }) => inInterval(key, start, end));
