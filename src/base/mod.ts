// The front door of `base`: what every room may lean on. Nothing here knows of Kubernetes.
export { type Address, addressAt, addressText, contains, isAddress, parseAddress, parseRange, type Range } from "./addresses.ts";
export { assert } from "./assert.ts";
export { type Clock, every, sleep, type Timer } from "./clock.ts";
export { dialErrorText } from "./dial-error.ts";
export type { FileStat, Files } from "./files.ts";
export type { RequestHandler, ResponseStream } from "./http2/contract.ts";
export type { HeaderFields } from "./http2/hpack-encoder.ts";
export type { RequestHead } from "./http2/request-head.ts";
export { type Log, type LogFields, silentLog } from "./log.ts";
export { type Command, commandIn } from "./nft/command.ts";
export { type Contribution, type Item, type ItemChange, itemId, type Table, type TableContent } from "./nft/items.ts";
export { ItemLedger } from "./nft/ledger.ts";
export { renderDiff, renderFull, renderRemoval } from "./nft/render.ts";
export { type SynchronizerOptions, TableSynchronizer } from "./nft/synchronizer.ts";
export { SimulatedTable } from "./nft/testing/simulated-table.ts";
export {
  defineOptions,
  flagName,
  OptionError,
  type OptionSpec,
  type OptionSpecs,
  type OptionValues,
  parseDuration,
  readOptions,
} from "./options.ts";
export { own } from "./own.ts";
export type { ChildProcess, CommandResult, Processes } from "./processes.ts";
export { defineMessages, type MessageConverter, type MessageOptions, type Messages } from "./protobuf.ts";
export { ProtobufError } from "./protobuf-scalars.ts";
export {
  type EnumTable,
  type FieldTables,
  type Lookup,
  type MessageField,
  type MethodTable,
  type ParsedTables,
  parseFieldTable,
} from "./protobuf-table.ts";
export { type Random, randomInt, randomSuffix, seededRandom, uuid } from "./random.ts";
export type { Running } from "./running.ts";
export { cannotListen } from "./system/cannot-listen.ts";
export { systemClock } from "./system/clock.ts";
export { drained } from "./system/drained.ts";
export { systemFiles } from "./system/files.ts";
export {
  type GrpcCall,
  type GrpcChannel,
  type GrpcChannelOptions,
  type GrpcDuplex,
  GrpcError,
  type GrpcMethod,
  openGrpcChannel,
} from "./system/grpc.ts";
export { type Http2Socket, serveHttp2 } from "./system/http2-socket.ts";
export { createLog, type LogOptions } from "./system/log.ts";
export { type PresentedCredentials, presentedCredentials } from "./system/presented.ts";
export { systemProcesses } from "./system/processes.ts";
export { systemRandom } from "./system/random.ts";
export { splice } from "./system/splice.ts";
export { VirtualClock } from "./virtual-clock.ts";
export {
  type CertificateTemplate,
  certificateEndMs,
  type Issuer,
  isCertificate,
  type KeyUsage,
  type Purpose,
  readIssuer,
  writeCertificate,
} from "./x509/certificate.ts";
export { type AlternativeNames, type DistinguishedName, namesOf, noNames } from "./x509/name.ts";
export { readPem, writePem } from "./x509/pem.ts";
export { type CertificateRequest, readRequestPem, writeRequest } from "./x509/request.ts";
export { publicKeyBytes } from "./x509/signature.ts";
