// The front door of `api`: object types and facts, and what can be computed from them without I/O.

export { applyPatch, updateManagedFields, type WriteContext } from "./apply/apply.ts";
export { knownFieldsText } from "./apply/new-fields.ts";
export { type BootstrapTokenField, bootstrapToken } from "./bootstrap-tokens.ts";
export { withoutEmptyLists } from "./codec/empty-lists.ts";
export { DecodeError } from "./codec/errors.ts";
export {
  type Decoded,
  type DecodeOptions,
  decodeJson,
  encodeJson,
  inDocumentOrder,
  type Literals,
  stringifyJson,
} from "./codec/json.ts";
export {
  decodeProtobuf,
  encodeProtobuf,
  hasProtobuf,
  isProtobuf,
  openProtobuf,
  protobufEnvelope,
  protobufWatchFrame,
  readProtobufWatchFrames,
} from "./codec/protobuf.ts";
export { decodeTyped, type Typed, type TypedOptions } from "./codec/typed.ts";
export { decodeJsonOrYaml, decodeYaml, decodeYamlDocuments, encodeYaml } from "./codec/yaml.ts";
export { deepEqual, semanticEqual } from "./deep-equal.ts";
export { imageTag } from "./defaults/pod.ts";
export { age, humanDuration } from "./duration.ts";
export * from "./errors.ts";
export {
  type FieldRequirement,
  type FieldSelector,
  fieldSelectorMatches,
  fieldSelectorText,
  parseFieldSelector,
} from "./field-selectors.ts";
export { percentOf, resolveFenceposts, scaledValue } from "./int-or-string.ts";
export { applyJsonPatch, type JsonPatchOperation, maxJsonPatchOperations, readJsonPatch } from "./json-patch.ts";
export { fieldNames, type PathStep, parsePath, valuesAt } from "./json-path.ts";
export { applyMergePatch, createMergePatch } from "./merge-patch.ts";
export {
  isConfigMapKey,
  isDns1035Label,
  isDns1123Label,
  isDns1123Subdomain,
  isLabelKey,
  isLabelValue,
  isPathSegment,
  isQualifiedName,
} from "./names.ts";
export {
  nodeSelectorMatches,
  nodeSelectorTermMatches,
  podAllowsNode,
  type SelectableNode,
  selectableNode,
} from "./node-selectors.ts";
export { openApiV2Document, openApiV3Document, openApiV3Index, openApiV3MetaSchemas } from "./openapi/documents.ts";
export { openApiV2Protobuf } from "./openapi/v2-protobuf.ts";
export { simulatedNodeLabel, simulateNodeAnnotation } from "./own-labels.ts";
export {
  addQuantities,
  canonicalQuantity,
  canonicalResource,
  compareQuantities,
  compareQuantityTexts,
  formatQuantity,
  milliValue,
  negateQuantity,
  type ParsedQuantity,
  parseQuantity,
  QuantityError,
  quantityValue,
  scaledQuantity,
  signOf,
  subtractQuantities,
  tryParseQuantity,
  zeroQuantity,
} from "./quantity.ts";
export { type Amounts, addAmounts, parseAmounts, podAmounts } from "./quota/pod-resources.ts";
export { isInQuotaScopes, type QuotaEvaluator, quotaEvaluator, quotaUsageText } from "./quota/usage.ts";
export * from "./resource-type.ts";
export * from "./resources.ts";
export { type KindRules, kindRules } from "./rules.ts";
export type * from "./scalars.ts";
export {
  builtInKinds,
  hasObjectSchema,
  type KindName,
  objectSchema,
  objectSchemaNames,
  schemaOfKind,
  typeNameOfKind,
} from "./schema/read.ts";
export type * from "./schema/schema.ts";
export {
  everything,
  type Labels,
  labelSelector,
  nothing,
  parseSelector,
  type Requirement,
  type Selector,
  type SelectorOperator,
  selectorMatches,
  selectorText,
  setSelector,
} from "./selectors.ts";
export { derived, known, SharedValues } from "./shared.ts";
export { applyStrategicMergePatch } from "./strategic-merge.ts";
export type * from "./types/mod.ts";
export { validateApproval } from "./validation/certificates.ts";
export { validateFinalizerName } from "./validation/core/small.ts";
export {
  label1035Name,
  labelName,
  type NameCheck,
  pathSegmentName,
  subdomainName,
  validateCommonMeta,
  validateCommonUpdate,
  validateFieldManager,
  validateObjectMeta,
  validateObjectMetaUpdate,
} from "./validation/meta.ts";
export { podQosClass } from "./validation/pod/pod.ts";
export { isExtendedResource } from "./validation/pod/resources.ts";
