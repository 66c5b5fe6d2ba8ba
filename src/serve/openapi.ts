// OpenAPI 3.1 of what a project serves: streams, SQL and its endpoints, with the types of parameters and results. Pure.
import type { EndpointManifest, Manifest, Relation } from '../define/manifest.ts'
import { hasDoor } from '../define/system-columns.ts'
import { shapeToJsonSchema, toJsonSchema } from '../schema/json-schema.ts'

type Json = Record<string, unknown>

const problem = (description: string): Json => ({
  description,
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
})
const body = (schema: Json, description: string): Json => ({ description, content: { 'application/json': { schema } } })

export function openApi(manifest: Pick<Manifest, 'project' | 'relations' | 'endpoints'>, version: string): Json {
  const paths: Record<string, Json> = {}
  for (const relation of manifest.relations)
    if (hasDoor(relation)) paths[`/streams/${relation.name}`] = { post: streamOperation(relation), ...deleteOperation(relation) }
  for (const endpoint of manifest.endpoints) paths[`/api${endpoint.path.replace(/:(\w+)/g, '{$1}')}`] = { get: endpointOperation(endpoint) }
  return {
    openapi: '3.1.0',
    info: { title: manifest.project, version },
    paths: { ...paths, ...FIXED_PATHS },
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: PROBLEM_SCHEMA, Collected: COLLECTED_SCHEMA, SqlAnswer: SQL_ANSWER_SCHEMA, SqlWritten: SQL_WRITTEN_SCHEMA },
    },
    security: [{ token: [] }],
  }
}

function streamOperation(relation: Relation): Json {
  const row = shapeToJsonSchema(relation.shape)
  return {
    operationId: `append_${relation.name.replaceAll('.', '_')}`,
    summary: `Append rows to ${relation.name}`,
    parameters: [{ name: 'Idempotency-Key', in: 'header', required: false, schema: { type: 'string' } }],
    requestBody: {
      required: true,
      content: {
        'application/json': { schema: { oneOf: [row, { type: 'array', items: row }] } },
        'application/x-ndjson': { schema: { type: 'string' } },
      },
    },
    responses: {
      202: body({ $ref: '#/components/schemas/Collected' }, 'Durable'),
      400: problem('The body is not JSON'),
      413: problem('Too large'),
      415: problem('Unsupported media'),
      422: problem('Every row was rejected'),
      429: problem('Under pressure'),
    },
  }
}

/** Of a table: rows go by their keys. */
function deleteOperation(relation: Relation): Json {
  if (relation.kind !== 'table') return {}
  const fields = relation.shape.fields.filter(({ name }) => relation.key.includes(name)).map(({ default: _, ...field }) => field)
  const key = shapeToJsonSchema({ fields })
  const operation = {
    operationId: `delete_${relation.name.replaceAll('.', '_')}`,
    summary: `Delete rows of ${relation.name} by ${relation.key.join(', ')}`,
    requestBody: { required: true, content: { 'application/json': { schema: { oneOf: [key, { type: 'array', items: key }] } } } },
    responses: {
      200: body(
        { type: 'object', properties: { accepted: { type: 'integer' } }, required: ['accepted'] },
        'None of the keys is in the table',
      ),
      400: problem('The body is not JSON'),
      422: problem('A row has no key; nothing was deleted'),
    },
  }
  return { delete: operation }
}

function endpointOperation(endpoint: EndpointManifest): Json {
  const inPath = new Set([...endpoint.path.matchAll(/:(\w+)/g)].map((match) => match[1]))
  const parameters = endpoint.params.fields.map((field) => ({
    name: field.name,
    in: inPath.has(field.name) ? 'path' : 'query',
    required: inPath.has(field.name) || !field.optional,
    ...(field.doc ? { description: field.doc } : {}),
    schema: toJsonSchema(field.type),
  }))
  const paging = endpoint.page
    ? [
        { name: 'cursor', in: 'query', required: false, schema: { type: 'string' } },
        { name: 'limit', in: 'query', required: false, schema: { type: 'integer', minimum: 1, maximum: 1_000 } },
      ]
    : []
  const row = {
    type: 'object',
    properties: Object.fromEntries(endpoint.result.fields.map((field) => [field.name, nullable(toJsonSchema(field.type), field.optional)])),
    required: endpoint.result.fields.map((field) => field.name),
  }
  const answer = {
    type: 'object',
    properties: { data: { type: 'array', items: row }, next: { type: ['string', 'null'] } },
    required: ['data', 'next'],
  }
  return {
    operationId: endpoint.name,
    ...(endpoint.doc ? { summary: endpoint.doc } : {}),
    parameters: [...parameters, ...paging],
    responses: {
      200: body(answer, 'Rows'),
      304: { description: 'Not changed' },
      400: problem('A parameter is wrong'),
      401: problem('No valid token'),
      403: problem('Not allowed'),
    },
  }
}

const nullable = (schema: Json, optional: boolean): Json => (optional ? { anyOf: [schema, { type: 'null' }] } : schema)

const CELL = { type: ['string', 'number', 'boolean', 'null', 'array', 'object'] }

const PROBLEM_SCHEMA: Json = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string' },
    detail: { type: 'string' },
    fix: { type: 'string' },
    at: { type: 'string' },
  },
}

const OFFSETS: Json = {
  type: 'array',
  items: {
    type: 'object',
    required: ['partition', 'first', 'last'],
    properties: { partition: { type: 'integer' }, first: { type: 'integer' }, last: { type: 'integer' } },
  },
}

const COLLECTED_SCHEMA: Json = {
  type: 'object',
  required: ['accepted', 'rejected', 'offsets', 'errors'],
  properties: {
    accepted: { type: 'integer' },
    rejected: { type: 'integer' },
    offsets: OFFSETS,
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['index', 'code', 'message'],
        properties: { index: { type: 'integer' }, code: { type: 'string' }, message: { type: 'string' } },
      },
    },
  },
}

const SQL_ANSWER_SCHEMA: Json = {
  type: 'object',
  required: ['columns', 'rows', 'snapshots', 'tail'],
  properties: {
    columns: {
      type: 'array',
      items: { type: 'object', required: ['name', 'type'], properties: { name: { type: 'string' }, type: { type: 'string' } } },
    },
    rows: { type: 'array', items: { type: 'array', items: CELL } },
    snapshots: { type: 'object', additionalProperties: { type: ['string', 'null'] } },
    tail: { type: 'boolean' },
  },
}

const SQL_WRITTEN_SCHEMA: Json = {
  type: 'object',
  required: ['relation', 'inserted', 'updated', 'deleted', 'offsets'],
  properties: {
    relation: { type: 'string' },
    inserted: { type: 'integer' },
    updated: { type: 'integer' },
    deleted: { type: 'integer' },
    offsets: OFFSETS,
    dryRun: { type: 'boolean' },
  },
}

const FIXED_PATHS: Record<string, Json> = {
  '/sql': {
    post: {
      operationId: 'sql',
      summary: 'One SELECT under the policy of the caller, or one statement that changes rows',
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: {
              type: 'object',
              required: ['sql'],
              properties: {
                sql: { type: 'string' },
                params: {
                  oneOf: [
                    { type: 'array', items: CELL },
                    { type: 'object', additionalProperties: CELL },
                  ],
                },
                freshness: { enum: ['committed'] },
                dryRun: { type: 'boolean' },
                readOnly: { type: 'boolean' },
              },
            },
          },
        },
      },
      responses: {
        200: body(
          { oneOf: [{ $ref: '#/components/schemas/SqlAnswer' }, { $ref: '#/components/schemas/SqlWritten' }] },
          'Rows, or how many were changed',
        ),
        400: problem('The SQL is not valid'),
        401: problem('No valid token'),
        403: problem('Not allowed'),
        408: problem('Took too long'),
        409: problem('A key would be there twice, or others wrote to the table'),
        413: problem('More rows than one statement may change'),
        422: problem('The table refuses a row'),
      },
    },
  },
  '/health': { get: { operationId: 'health', security: [], responses: { 200: { description: 'Alive' } } } },
  '/ready': {
    get: { operationId: 'ready', security: [], responses: { 200: { description: 'Serving' }, 503: { description: 'Not serving' } } },
  },
  '/metrics': { get: { operationId: 'metrics', responses: { 200: { description: 'Prometheus text' } } } },
}
