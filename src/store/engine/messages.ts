// The store's errors with etcd's own texts: clients of the v3 API and operators know them by heart.
import { StoreError } from "../store.ts";

export const compacted = (): StoreError => new StoreError("compacted", "etcdserver: mvcc: required revision has been compacted");
export const futureRevision = (): StoreError =>
  new StoreError("futureRevision", "etcdserver: mvcc: required revision is a future revision");
export const noSpace = (): StoreError => new StoreError("noSpace", "etcdserver: mvcc: database space exceeded");
export const leaseNotFound = (): StoreError => new StoreError("leaseNotFound", "etcdserver: requested lease not found");
export const leaseExists = (): StoreError => new StoreError("leaseExists", "etcdserver: lease already exists");
export const leaseTtlTooLarge = (): StoreError => new StoreError("tooLarge", "etcdserver: too large lease TTL");
export const duplicateKey = (): StoreError => new StoreError("duplicateKey", "etcdserver: duplicate key given in txn request");
export const keyNotFound = (): StoreError => new StoreError("keyNotFound", "etcdserver: key not found");
export const emptyKey = (): StoreError => new StoreError("emptyKey", "etcdserver: key is not provided");
export const tooLarge = (): StoreError => new StoreError("tooLarge", "etcdserver: request is too large");
export const closed = (): StoreError => new StoreError("closed", "Cannot use the store: it is closed");
