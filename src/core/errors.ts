// The one error class and the one catalogue of error codes. Every code that is thrown stands here, by area; the
// reference page docs/reference/errors.md is generated from it. Expected outcomes are return values, not errors.

interface Entry {
  readonly summary: string
  /** HTTP status of the answer when the error reaches a request. */
  readonly status: number
  readonly retryable?: boolean
}

const entry = (summary: string, status: number, retryable = false): Entry => ({ summary, status, retryable })

export const ERRORS = {
  // core
  MR_ASSERT: entry('A condition that Millrace relies on does not hold: a bug in Millrace', 500),
  MR_USAGE: entry('The command line or a request was not understood', 400),
  MR_CANCELLED: entry('The work was cancelled', 499, true),
  MR_SIZE: entry('A size is malformed', 400),
  MR_DURATION: entry('A duration is not of the form "10 minutes"', 400),
  MR_PACKAGE_MISSING: entry('An optional package is not installed', 500),

  // schema
  MR_SCHEMA_TYPE: entry('A type is not supported here', 400),
  MR_SCHEMA_EVOLUTION: entry('A change of a shape is not allowed', 409),

  // define, load, plan
  MR_DEFINE_NAME: entry('A name is not a valid identifier', 400),
  MR_DEFINE_DUPLICATE: entry('Two definitions have one name', 400),
  MR_DEFINE_COLUMN: entry('A column is named that the relation does not have', 400),
  MR_DEFINE_VALUE: entry('A value of a definition is not allowed', 400),
  MR_LOAD_PROJECT: entry('The project could not be loaded', 400),
  MR_LOAD_NO_PROJECT: entry('The directory holds no project', 400),
  MR_PLAN_SQL: entry("A model's SQL is not valid", 400),
  MR_PLAN_CYCLE: entry('Models depend on each other in a circle', 400),
  MR_PLAN_UNKNOWN: entry('A name is used that nothing defines', 400),
  MR_PLAN_TYPE: entry('A declared type differs from the one that the SQL gives', 400),
  MR_PLAN_KEEP: entry('How long rows are kept, or where they are archived, cannot be carried out', 400),
  MR_PLAN_KEY: entry('A key, time, partition or dedupe column is not allowed', 400),
  MR_PLAN_REFRESH: entry('A refresh mode is not possible for this model', 400),
  MR_PLAN_LIVE_SHAPE: entry('The SQL of a live model is outside the supported shapes', 400),
  MR_PLAN_FLINK: entry('A live model has no equal in Flink SQL', 400),
  MR_PLAN_RESERVED: entry('A column has a reserved name', 400),
  MR_PLAN_POLICY: entry('A policy, grant or mask is not valid', 400),
  MR_PLAN_CHECK: entry('A check is not valid', 400),
  MR_PLAN_ENDPOINT: entry('An endpoint is not valid', 400),
  MR_PLAN_JOB: entry('A job, schedule or alert is not valid', 400),
  MR_PLAN_STATE: entry('The deployed state does not allow this change', 409),

  // encryption
  MR_KEY_FILE: entry('A file of keys is missing, open to others, or cannot be read', 500),
  MR_KEY_MISSING: entry('A relation is encrypted and there is no master key', 500),
  MR_KEY_UNKNOWN: entry('Something is sealed with a key that is not there', 500),
  MR_KEY_SERVICE: entry('A key service refuses to wrap or unwrap a data key', 502),
  MR_KEY_SHARED: entry('Something that is encrypted cannot be handed out, or kept, in this way', 403),
  MR_SEAL_DAMAGED: entry('Something that is encrypted is not what was written', 500),

  // log
  MR_LOG_CORRUPT: entry('A log segment is damaged', 500),
  MR_LOG_IO: entry('The log could not be written; the partition is closed', 503),
  MR_LOG_FULL: entry('There is no space left for the log', 507, true),
  MR_LOG_UNKNOWN: entry('The topic or partition does not exist', 404),
  MR_LOG_RANGE: entry('An offset is outside the log', 416),
  MR_LOG_MOVED: entry('The log has more than an append relies on', 409, true),
  MR_LOG_BUSY: entry('The log takes no more at the moment', 429, true),

  // lake, store
  MR_LAKE_CONFLICT: entry('A concurrent commit changed what this one relies on', 409, true),
  MR_LAKE_FENCED: entry('Another owner has taken over', 409),
  MR_LAKE_CORRUPT: entry('A metadata, manifest or data file is damaged', 500),
  MR_LAKE_TABLE_UNKNOWN: entry('The table does not exist', 404),
  MR_LAKE_TABLE_EXISTS: entry('The table exists already', 409),
  MR_LAKE_SNAPSHOT_UNKNOWN: entry('The snapshot does not exist or has expired', 404),
  MR_LAKE_VERSION: entry('The table has a format version that is not supported', 400),
  MR_LAKE_METADATA_MISSING: entry('The metadata file of a table or view is missing', 404),
  MR_LAKE_UPDATE: entry('An update of a table or view cannot be carried out', 400),
  MR_LAKE_LOCATION: entry('A table or view may not lie at this place', 403),
  MR_LAKE_NAMESPACE_UNKNOWN: entry('The namespace does not exist', 404),
  MR_LAKE_NAMESPACE_EXISTS: entry('The namespace exists already', 409),
  MR_LAKE_NAMESPACE_FULL: entry('The namespace is not empty', 409),
  MR_LAKE_VIEW_UNKNOWN: entry('The view does not exist', 404),
  MR_LAKE_VIEW_EXISTS: entry('The view exists already', 409),
  MR_LAKE_WAREHOUSE_UNKNOWN: entry('The warehouse does not exist', 404),
  MR_LAKE_SAME_KEY: entry('A property is both set and removed', 422),
  MR_LAKE_IDEMPOTENCY: entry('The idempotency key was used for another request', 422),
  MR_LAKE_SPEC: entry('A partition or sort field is not possible', 400),
  MR_STORE_VERSION: entry('The control database belongs to a newer version', 500),
  MR_DATA_MOVED: entry('The data directory was moved or copied', 409),
  MR_DATA_LOCKED: entry('Another process uses the data directory', 409),
  MR_DATA_DIRECTORY: entry('The data directory cannot be used', 500),
  MR_DATA_FULL: entry('The disk is full', 507, true),

  // object stores
  MR_OBJECT_MISSING: entry('An object does not exist', 404),
  MR_OBJECT_EXISTS: entry('An object of this name exists already', 409),
  MR_OBJECT_BUCKET: entry('A bucket, container or file system does not exist', 500),
  MR_OBJECT_DENIED: entry('An object store refuses the credentials, or there are none', 500),
  MR_OBJECT_BUSY: entry('An object store cannot be reached or has too much to do', 503, true),
  MR_OBJECT_STORE: entry('An object store is not set up, or answers what was not expected', 500),

  // external catalogs
  MR_CATALOG_BUSY: entry('An external catalog cannot be reached, or it is not known whether it did what was asked', 503, true),
  MR_CATALOG_DENIED: entry('An external catalog refuses the credentials, or what they may do', 500),
  MR_CATALOG_REFUSED: entry('An external catalog refuses a request, or cannot do it', 500),
  MR_CATALOG_PARTIAL: entry('A commit is in some tables of an external catalog and cannot reach the others', 500),

  // kafka
  MR_KAFKA_BUSY: entry('A Kafka cluster cannot be reached, or does not do what was asked', 503, true),
  MR_KAFKA_DENIED: entry('A Kafka cluster refuses the credentials, or what they may do', 500),
  MR_KAFKA_TOPIC: entry('A topic of Kafka does not exist, or is another one than before', 409),
  MR_KAFKA_SCHEMA: entry('A schema of messages cannot be used, or a schema registry does not give it', 502, true),
  MR_KAFKA_VALUE: entry('A value does not fit into the messages that a sink writes', 422),
  MR_KAFKA_RANGE: entry('A topic of Kafka does not have the messages that come next', 409),

  // engine, queries
  MR_SQL_SYNTAX: entry('The SQL is not valid', 400),
  MR_SQL_UNKNOWN: entry('A relation, column or function does not exist', 400),
  MR_SQL_TYPE: entry('The types of an expression do not fit', 400),
  MR_SQL_STATEMENT: entry('A statement, or this form of it, is not possible here', 400),
  MR_SQL_FORBIDDEN: entry('A function, clause or object may not be used here', 403),
  MR_SQL_KEY: entry('A statement would give two rows one key, or change one row twice', 409),
  MR_SQL_ROW: entry('A statement would write a row that the table refuses; nothing was written', 422),
  MR_SQL_ROWS: entry('A statement changes more rows than it may at once', 413),
  MR_SQL_CONFLICT: entry('Others wrote to the table for as long as a statement was tried', 409, true),
  MR_SQL_PARAMETER: entry('A parameter is missing or of the wrong type', 400),
  MR_SQL_RUNTIME: entry('The query failed while running', 400),
  MR_SQL_TIMEOUT: entry('The query ran longer than it may', 408),
  MR_SQL_MEMORY: entry('The query needs more memory than it may use', 413),
  MR_ENGINE: entry('The engine failed', 500),

  // govern
  MR_AUTH_MISSING: entry('The request carries no token', 401),
  MR_AUTH_INVALID: entry('The token is not valid', 401),
  MR_ACCESS_DENIED: entry('The caller may not do this', 403),
  MR_ACCESS_UNKNOWN_ROLE: entry('The role does not exist', 400),
  MR_ACCESS_ATTRIBUTE: entry('An attribute of the role is missing or unknown', 400),
  MR_ACCESS_ORIGIN: entry('The request comes from an origin that is not allowed', 403),
  MR_ACCESS_BUDGET: entry('Too many queries of a caller with restricted access failed', 429, true),

  // ingest
  MR_INGEST_UNKNOWN_STREAM: entry('The stream does not exist', 404),
  MR_INGEST_BODY: entry('The body is not valid JSON', 400),
  MR_INGEST_TOO_LARGE: entry('The body is larger than allowed', 413),
  MR_INGEST_MEDIA: entry('The content type or encoding is not supported', 415),
  MR_INGEST_REJECTED: entry('All rows were rejected', 422),
  MR_INGEST_IDEMPOTENCY: entry('The idempotency key was used with another body', 422),
  MR_INGEST_SOURCE: entry('A source could not be read', 502, true),
  // reasons of rejected rows
  MR_ROW_JSON: entry('The line is not valid JSON', 422),
  MR_ROW_UTF8: entry('The line is not valid UTF-8', 422),
  MR_ROW_NOT_OBJECT: entry('The row is not a JSON object', 422),
  MR_ROW_MISSING: entry('A required field is missing or null', 422),
  MR_ROW_UNKNOWN_FIELD: entry('A field is not part of the shape', 422),
  MR_ROW_DUPLICATE_FIELD: entry('A field occurs twice', 422),
  MR_ROW_TYPE: entry('A value has the wrong type', 422),
  MR_ROW_RANGE: entry('A value is out of range or would lose digits', 422),
  MR_ROW_ENUM: entry('A value is not among those allowed', 422),
  MR_ROW_TOO_LARGE: entry('The row is larger than allowed', 422),
  MR_ROW_MESSAGE: entry('A message of a topic cannot be read as a row', 422),
  MR_ROW_PROCESSOR: entry('A processor threw on this row', 422),
  MR_ROW_PROCESSOR_TIME: entry('A processor ran on this row for longer than it may', 422),
  MR_ROW_PROCESSOR_EXIT: entry("A processor's worker ended on this row", 422),
  MR_ROW_EXPRESSION: entry('An expression of a live model fails on this row', 422),
  MR_ROW_CHECK: entry('A check set the row aside', 422),

  // stream, transform, quality, orchestrate
  MR_STREAM_STATE: entry('The state of a pipeline does not fit its log', 500),
  MR_STREAM_MEMORY: entry('The state of a pipeline has no room in its memory', 507),
  MR_PROCESSOR: entry('A processor failed', 500),
  MR_PROCESSOR_ENDED: entry("A processor's code did not come back and was ended", 500, true),
  MR_CHECK_BLOCKED: entry('A check with severity block failed; nothing was published', 409),
  MR_RUN_KEY: entry('Rows that should have one key each do not', 409),
  MR_RUN_TIMEOUT: entry('A step ran longer than it may', 504, true),
  MR_RUN_UNKNOWN: entry('The run does not exist', 404),
  MR_ALERT_SEND: entry('An alert could not be delivered', 502, true),

  // serve, runtime
  MR_NOT_FOUND: entry('There is nothing at this address', 404),
  MR_INTERNAL: entry('Something went wrong inside', 500),
  MR_NOT_READY: entry('The server is not ready', 503, true),
  MR_PORT: entry('A port is in use', 500),
  MR_TLS_REQUIRED: entry('The address is reachable from outside and TLS is off', 500),
  MR_ENVIRONMENT: entry('The environment does not exist or lacks a value', 400),
} as const satisfies Record<string, Entry>

export type ErrorCode = keyof typeof ERRORS

export interface ErrorDetails {
  /** The next command or edit that mends it. */
  fix?: string
  /** The user's file and line, as `path:line`. */
  at?: string
  cause?: unknown
}

/** An error that ends an operation: what happened with names and values, and how to mend it. */
export class MillraceError extends Error {
  override readonly name = 'MillraceError'
  readonly code: ErrorCode
  readonly fix: string | undefined
  readonly at: string | undefined
  readonly retryable: boolean
  /** HTTP status of the answer. */
  readonly status: number

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    const known: Entry = ERRORS[code]
    this.code = code
    this.fix = details.fix
    this.at = details.at
    this.retryable = known.retryable ?? false
    this.status = known.status
  }
}

/** Throws unless `condition` holds: for our own mistakes only, with the reason why it cannot be. */
export function assert(condition: unknown, why: string): asserts condition {
  if (!condition) throw new MillraceError('MR_ASSERT', `cannot be: ${why}`, { fix: 'please report this with the steps that led here' })
}

/** The error itself when it is ours, otherwise `MR_INTERNAL` around it. */
export function asMillraceError(cause: unknown): MillraceError {
  if (cause instanceof MillraceError) return cause
  const message = cause instanceof Error ? cause.message : String(cause)
  return new MillraceError('MR_INTERNAL', message, { cause })
}
