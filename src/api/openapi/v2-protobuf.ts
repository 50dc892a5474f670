// The OpenAPI document of version 2 in protobuf: the messages of package openapi.v2 (gnostic), which client-go asks for.
import { defineMessages, type Messages, parseFieldTable } from "#base";
import type { Json } from "./schemas.ts";

/** message, field, number, type: what our documents use of package openapi.v2. */
const table = `\
Any	yaml	2	string
NamedAny	name	1	string
NamedAny	value	2	Any
Document	swagger	1	string
Document	info	2	Info
Document	paths	8	Paths
Document	definitions	9	Definitions
Document	security	12	repeated SecurityRequirement
Document	security_definitions	13	SecurityDefinitions
Info	title	1	string
Info	version	2	string
Paths	path	2	repeated NamedPathItem
NamedPathItem	name	1	string
NamedPathItem	value	2	PathItem
PathItem	get	2	Operation
PathItem	put	3	Operation
PathItem	post	4	Operation
PathItem	delete	5	Operation
PathItem	options	6	Operation
PathItem	head	7	Operation
PathItem	patch	8	Operation
PathItem	parameters	9	repeated ParametersItem
Operation	description	3	string
Operation	operation_id	5	string
Operation	produces	6	repeated string
Operation	consumes	7	repeated string
Operation	parameters	8	repeated ParametersItem
Operation	responses	9	Responses
Operation	schemes	10	repeated string
Operation	vendor_extension	13	repeated NamedAny
ParametersItem	parameter	1	Parameter
Parameter	body_parameter	1	BodyParameter
Parameter	non_body_parameter	2	NonBodyParameter
NonBodyParameter	query_parameter_sub_schema	3	QueryParameter
NonBodyParameter	path_parameter_sub_schema	4	PathParameter
BodyParameter	description	1	string
BodyParameter	name	2	string
BodyParameter	in	3	string
BodyParameter	required	4	bool
BodyParameter	schema	5	Schema
QueryParameter	required	1	bool
QueryParameter	in	2	string
QueryParameter	description	3	string
QueryParameter	name	4	string
QueryParameter	type	6	string
QueryParameter	unique_items	20	bool
PathParameter	required	1	bool
PathParameter	in	2	string
PathParameter	description	3	string
PathParameter	name	4	string
PathParameter	type	5	string
PathParameter	unique_items	19	bool
Responses	response_code	1	repeated NamedResponseValue
NamedResponseValue	name	1	string
NamedResponseValue	value	2	ResponseValue
ResponseValue	response	1	Response
Response	description	1	string
Response	schema	2	SchemaItem
SchemaItem	schema	1	Schema
Definitions	additional_properties	1	repeated NamedSchema
Properties	additional_properties	1	repeated NamedSchema
NamedSchema	name	1	string
NamedSchema	value	2	Schema
Schema	_ref	1	string
Schema	format	2	string
Schema	title	3	string
Schema	description	4	string
Schema	default	5	Any
Schema	multiple_of	6	double
Schema	maximum	7	double
Schema	exclusive_maximum	8	bool
Schema	minimum	9	double
Schema	exclusive_minimum	10	bool
Schema	max_length	11	int64
Schema	min_length	12	int64
Schema	pattern	13	string
Schema	max_items	14	int64
Schema	min_items	15	int64
Schema	unique_items	16	bool
Schema	max_properties	17	int64
Schema	min_properties	18	int64
Schema	required	19	repeated string
Schema	enum	20	repeated Any
Schema	additional_properties	21	AdditionalPropertiesItem
Schema	type	22	TypeItem
Schema	items	23	ItemsItem
Schema	all_of	24	repeated Schema
Schema	properties	25	Properties
Schema	example	30	Any
Schema	vendor_extension	31	repeated NamedAny
AdditionalPropertiesItem	schema	1	Schema
AdditionalPropertiesItem	boolean	2	bool
TypeItem	value	1	repeated string
ItemsItem	schema	1	repeated Schema
SecurityDefinitions	additional_properties	1	repeated NamedSecurityDefinitionsItem
NamedSecurityDefinitionsItem	name	1	string
NamedSecurityDefinitionsItem	value	2	SecurityDefinitionsItem
SecurityDefinitionsItem	api_key_security	2	ApiKeySecurity
ApiKeySecurity	type	1	string
ApiKeySecurity	name	2	string
ApiKeySecurity	in	3	string
ApiKeySecurity	description	4	string
SecurityRequirement	additional_properties	1	repeated NamedStringArray
NamedStringArray	name	1	string
NamedStringArray	value	2	StringArray
StringArray	value	1	repeated string
`;

let made: Messages | undefined;

/** The codec of package openapi.v2; values of any type are YAML texts in it. */
export const openApiV2Messages = (): Messages => {
  made ??= defineMessages(parseFieldTable(table), { fill: false });
  return made;
};

/** The bytes that `GET /openapi/v2` answers to who asks for protobuf. */
export function openApiV2Protobuf(document: Json): Buffer {
  const { swagger, info, paths, definitions, securityDefinitions, security } = document as {
    readonly [key: string]: Json;
  };
  return openApiV2Messages().encode("Document", {
    swagger,
    info,
    paths: { path: named(paths, pathItem) },
    definitions: { additional_properties: named(definitions, schema) },
    security_definitions: { additional_properties: named(securityDefinitions, (value) => ({ api_key_security: value })) },
    security: ((security ?? []) as unknown as Json[]).map((one) => ({
      additional_properties: named(one, (value) => ({ value })),
    })),
  });
}

const named = (object: Json | undefined, shape: (value: Json) => object): object[] =>
  Object.entries(object ?? {}).map(([name, value]) => ({ name, value: shape(value as Json) }));

// JSON is YAML
const any = (value: unknown): object => ({ yaml: `${JSON.stringify(value)}\n` });

const extensions = (object: Json): object[] =>
  named(Object.fromEntries(Object.entries(object).filter(([name]) => name.startsWith("x-"))), any);

function pathItem(item: Json): object {
  const { parameters, ...operations } = item;
  return {
    ...Object.fromEntries(Object.entries(operations).map(([method, operation]) => [method, operationMessage(operation as Json)])),
    parameters: ((parameters ?? []) as Json[]).map(parameter),
  };
}

function operationMessage(operation: Json): object {
  const { description, operationId, produces, consumes, schemes } = operation;
  return {
    description,
    operation_id: operationId,
    produces,
    consumes,
    schemes,
    parameters: ((operation["parameters"] ?? []) as Json[]).map(parameter),
    responses: { response_code: named(operation["responses"] as Json, response) },
    vendor_extension: extensions(operation),
  };
}

function parameter(one: Json): object {
  const { description, name, required, type, uniqueItems } = one;
  const common = { description, name, in: one["in"], required };
  if (one["in"] === "body") return { parameter: { body_parameter: { ...common, schema: schema(one["schema"] as Json) } } };
  const rest = { ...common, type, unique_items: uniqueItems };
  return {
    parameter: {
      non_body_parameter: one["in"] === "path" ? { path_parameter_sub_schema: rest } : { query_parameter_sub_schema: rest },
    },
  };
}

const response = (one: Json): object => ({
  response: {
    description: one["description"],
    ...(one["schema"] === undefined ? {} : { schema: { schema: schema(one["schema"] as Json) } }),
  },
});

const same = ["format", "title", "description", "maximum", "minimum", "pattern", "required"];
const renamed: Readonly<Record<string, string>> = {
  $ref: "_ref",
  multipleOf: "multiple_of",
  exclusiveMaximum: "exclusive_maximum",
  exclusiveMinimum: "exclusive_minimum",
  maxLength: "max_length",
  minLength: "min_length",
  maxItems: "max_items",
  minItems: "min_items",
  uniqueItems: "unique_items",
  maxProperties: "max_properties",
  minProperties: "min_properties",
};

function schema(one: Json): object {
  const message: Record<string, unknown> = { vendor_extension: extensions(one) };
  for (const name of same) message[name] = one[name];
  for (const [name, field] of Object.entries(renamed)) message[field] = one[name];
  const { type, items, properties, additionalProperties, allOf } = one;
  if (type !== undefined) message["type"] = { value: Array.isArray(type) ? type : [type] };
  if (items !== undefined) message["items"] = { schema: [schema(items as Json)] };
  if (properties !== undefined) message["properties"] = { additional_properties: named(properties as Json, schema) };
  if (additionalProperties !== undefined)
    message["additional_properties"] =
      typeof additionalProperties === "boolean"
        ? { boolean: additionalProperties }
        : { schema: schema(additionalProperties as Json) };
  if (allOf !== undefined) message["all_of"] = (allOf as Json[]).map(schema);
  for (const name of ["default", "example"]) if (one[name] !== undefined) message[name] = any(one[name]);
  if (one["enum"] !== undefined) message["enum"] = (one["enum"] as unknown[]).map(any);
  return message;
}
