// A Kafka cluster as a client reaches it, and what its errors mean here. The client is @platformatic/kafka, an optional package that
// is loaded when a project that names a topic starts (decision 23).

import { type ErrorCode, MillraceError } from '../../core/errors.ts'
import { optional } from '../../core/optional.ts'

export type Client = typeof import('@platformatic/kafka')

/** Resolved: nothing of it refers to the environment any more. */
export interface ClusterSettings {
  /** What the project calls it. */
  readonly bus: string
  /** `host:port`. */
  readonly brokers: readonly string[]
  readonly sasl?: { readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; readonly username: string; readonly password: string }
  /** PEM; absent = no TLS, empty = the machine's authorities. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string }
}

/** @throws MR_PACKAGE_MISSING */
export const loadClient = (neededBy: string): Promise<Client> => optional<Client>('@platformatic/kafka', neededBy)

/** What every part of the client is made with. Retries are the caller's: it knows what must not be done twice. */
export const clientOptions = ({ brokers, sasl, tls }: ClusterSettings, clientId: string) => ({
  clientId,
  bootstrapBrokers: [...brokers],
  timeout: 30_000,
  connectTimeout: 10_000,
  // With one or none the client's idempotent producer would try for ever.
  retries: 2,
  retryDelay: 200,
  ...(sasl ? { sasl } : {}),
  ...(tls ? { tls } : {}),
})

interface Nested {
  readonly apiId?: string
  readonly code?: string
  readonly message?: string
  readonly errors?: readonly Nested[]
  readonly cause?: Nested
}

/** Every error inside of an error, itself first. */
function* within(error: Nested | undefined): Generator<Nested> {
  if (typeof error !== 'object' || error === null) return
  yield error
  for (const inner of error.errors ?? []) yield* within(inner)
  yield* within(error.cause)
}

/** Whether the brokers answered with this error. */
export const isAnswer = (error: unknown, ...apiIds: readonly string[]): boolean =>
  [...within(error as Nested)].some(({ apiId }) => apiId !== undefined && apiIds.includes(apiId))

const DENIED = [
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
]

/** An error of the client in our words: `what` was being done. */
export function kafkaError({ bus, brokers }: ClusterSettings, what: string, cause: unknown): MillraceError {
  if (cause instanceof MillraceError) return cause
  const all = [...within(cause as Nested)]
  const deepest = all.findLast(({ message }) => message)
  const why = deepest?.apiId ? `${deepest.apiId} ${deepest.message}` : (deepest?.message ?? String(cause))
  const isDenied = isAnswer(cause, ...DENIED) || all.some(({ code }) => code === 'PLT_KFK_AUTHENTICATION')
  const code: ErrorCode = isDenied
    ? 'MR_KAFKA_DENIED'
    : isAnswer(cause, 'UNKNOWN_TOPIC_OR_PARTITION', 'UNKNOWN_TOPIC_ID') || /^Unknown topic /.test(why)
      ? 'MR_KAFKA_TOPIC'
      : 'MR_KAFKA_BUSY'
  const fix =
    code === 'MR_KAFKA_DENIED'
      ? `check the credentials of kafka "${bus}" and what they may do`
      : code === 'MR_KAFKA_TOPIC'
        ? 'make the topic, or correct its name'
        : `check that ${brokers.join(', ')} can be reached; it is tried again`
  return new MillraceError(code, `${what}: ${why}`, { cause, fix })
}
