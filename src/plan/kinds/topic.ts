// Topics of Kafka, as sources and as what sinks write to: what is said of the cluster and the start is possible.
// Whether the topic exists is known only when the project runs.
import { utcMs } from '../../core/utc-ms.ts'
import type { KafkaHow, KafkaTopic } from '../../define/kafka.ts'
import type { KafkaConnection, KafkaSourceManifest, KeyFormatManifest, TopicManifest } from '../../define/manifest.ts'
import { fail, type Scope } from '../scope.ts'
import { didYouMean } from '../suggest.ts'
import { formatOf, isText } from './message-format.ts'

const SAID_OF_TOPICS = ['format', 'keyFormat', 'start', 'epoch']
const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']
const NAME = /^[a-zA-Z0-9._-]{1,249}$/

export const isTopic = (value: unknown): value is KafkaTopic => (value as KafkaTopic | undefined)?.$source === 'kafka'

/** A topic as the source of a relation; `key`: columns of a table's key, empty for a stream. */
export function compileTopicSource(scope: Scope, what: string, topic: KafkaTopic, at: string, key: readonly string[]): KafkaSourceManifest {
  const keyFormat = keyFormatOf(scope, what, topic, at, key)
  return {
    ...compileTopic(scope, what, topic, at),
    ...(keyFormat ? { keyFormat } : {}),
    start: startOf(scope, what, topic, at),
    epoch: epochOf(scope, what, topic, at),
  }
}

function keyFormatOf(
  scope: Scope,
  what: string,
  { keyFormat }: KafkaTopic,
  at: string,
  key: readonly string[],
): KeyFormatManifest | undefined {
  if (keyFormat === undefined) return undefined
  if (key.length === 0)
    fail(
      scope,
      'MR_DEFINE_VALUE',
      at,
      `${what}: keyFormat says which row of a table a message without a value deletes, and here are no rows that go`,
      'remove it, or make it a table with a key',
    )
  if (keyFormat !== 'text') return formatOf(scope, what, keyFormat, at, false)
  if (key.length > 1)
    fail(
      scope,
      'MR_DEFINE_VALUE',
      at,
      `${what}: keys of messages that are text hold one value, and the key is ${key.join(', ')}`,
      "write keyFormat: 'json', avro({ ... }) or protobuf({ ... })",
    )
  return { kind: 'text' }
}

/** What sources and sinks say of a topic alike. */
export function compileTopic(scope: Scope, what: string, topic: KafkaTopic, at: string, isSink = false): TopicManifest {
  for (const option of Object.keys(topic))
    if (!['$source', '$bus', '$connection', 'topic', ...SAID_OF_TOPICS].includes(option))
      fail(scope, 'MR_DEFINE_VALUE', at, `${what}: a topic has no option "${option}"`, didYouMean(option, SAID_OF_TOPICS, 'remove it'))
  if (typeof topic.topic !== 'string' || !NAME.test(topic.topic))
    fail(scope, 'MR_DEFINE_VALUE', at, `${what}: "${topic.topic}" cannot be a topic's name`, 'use letters, digits, dot, _ and -')
  return {
    connection: connectionOf(scope, what, topic.$bus, topic.$connection, at),
    topic: topic.topic,
    format: formatOf(scope, what, topic.format ?? 'json', at, isSink),
  }
}

function connectionOf(scope: Scope, what: string, bus: string, how: KafkaHow, at: string): KafkaConnection {
  for (const option of Object.keys(how))
    if (!['brokers', 'sasl', 'tls'].includes(option))
      fail(
        scope,
        'MR_DEFINE_VALUE',
        at,
        `${what}: kafka "${bus}" has an option "${option}", which does not exist`,
        didYouMean(option, ['brokers', 'sasl', 'tls'], 'remove it'),
      )
  const { brokers, sasl, tls } = how
  if (!isText(brokers) || (typeof brokers === 'string' && !isAddresses(brokers)))
    fail(scope, 'MR_DEFINE_VALUE', at, `${what}: kafka "${bus}" has no brokers`, "write brokers: 'host:9092', or config('BROKERS')")
  if (sasl && !MECHANISMS.includes(sasl.mechanism))
    fail(
      scope,
      'MR_DEFINE_VALUE',
      at,
      `${what}: kafka "${bus}" cannot log in by "${sasl.mechanism}"`,
      didYouMean(String(sasl.mechanism), MECHANISMS, `choose ${MECHANISMS.join(', ')}`),
    )
  for (const [name, value] of Object.entries({ 'sasl.password': sasl?.password, 'tls.key': tls === true ? undefined : tls?.key }))
    if (typeof value === 'string')
      fail(scope, 'MR_DEFINE_VALUE', at, `${what}: kafka "${bus}" has its ${name} in the project's files`, "write secret('NAME')")
  return {
    bus,
    brokers,
    ...(sasl ? { sasl: { mechanism: sasl.mechanism, username: sasl.username, password: sasl.password } } : {}),
    ...(tls ? { tls: tls === true ? {} : { ...tls } } : {}),
  }
}

const isAddresses = (text: string): boolean => text.split(',').every((one) => /^\s*[^\s:]+:\d+\s*$|^\s*\[[0-9a-fA-F:]+\]:\d+\s*$/.test(one))

function startOf(scope: Scope, what: string, { start = 'earliest' }: KafkaTopic, at: string): KafkaSourceManifest['start'] {
  if (start === 'earliest' || start === 'latest') return start as 'earliest' | 'latest'
  const ms = typeof start === 'string' ? utcMs(start) : Number.NaN
  if (Number.isFinite(ms)) return ms
  fail(
    scope,
    'MR_DEFINE_VALUE',
    at,
    `${what}: "${start}" is no place to start`,
    "write 'earliest', 'latest' or an instant such as '2026-01-31T00:00:00Z'",
  )
  return 'earliest'
}

function epochOf(scope: Scope, what: string, { epoch = 0 }: KafkaTopic, at: string): number {
  if (Number.isInteger(epoch) && epoch >= 0) return epoch
  fail(scope, 'MR_DEFINE_VALUE', at, `${what}: epoch ${epoch} is not a whole number`, 'count it up: 0, 1, 2')
  return 0
}
