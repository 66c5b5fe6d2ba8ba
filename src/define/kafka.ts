// `millrace/kafka`: topics of Kafka as the source of streams and tables, and as what a sink writes to. Values only: the client
// is loaded when a project that names a topic starts.
import type { ConfigRef, Text } from './manifest.ts'

export interface KafkaHow {
  /** `host:port`, several separated by commas. */
  readonly brokers: Text
  readonly sasl?: {
    readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
    readonly username: Text
    readonly password: ConfigRef
  }
  /** TLS with the machine's authorities, or with these, as PEM. */
  readonly tls?: true | { readonly ca?: Text; readonly cert?: Text; readonly key?: ConfigRef }
}

/** A Confluent schema registry: messages begin with a zero byte and the id of their schema. */
export type Registry = Text | { readonly url: Text; readonly username?: Text; readonly password?: ConfigRef }

export interface AvroHow {
  /** An Avro schema, as JSON: of plain Avro messages; with a registry, what they are read as. What a sink writes follows from its columns. */
  readonly schema?: string | object
  readonly registry?: Registry
}

/** A message of a .proto file of the project: of plain messages; with a registry, what they are read as and what a sink registers. */
export interface ProtobufByFile {
  /** Path, relative to the project. */
  readonly proto: string
  /** Full name of the message type: `shop.Click`. */
  readonly message: string
  readonly registry?: Registry
}

/** Of a source: messages as the schemas say that they were written by. */
export interface ProtobufByRegistry {
  readonly registry: Registry
  /** Full name of the only message type that is read; others are rejected. Default: all are read. */
  readonly message?: string
  readonly proto?: never
}

export type ProtobufHow = ProtobufByFile | ProtobufByRegistry

export interface JsonHow {
  /** Asked by sinks only, which register a JSON Schema of their columns: who reads JSON needs no schema. */
  readonly registry: Registry
}

export type MessageFormat =
  | 'json'
  | ({ readonly $format: 'json' } & JsonHow)
  | ({ readonly $format: 'avro' } & AvroHow)
  | ({ readonly $format: 'protobuf' } & ProtobufHow)

/** Messages of JSON behind the id of a registry's schema. Without it, a topic's format is `'json'`. */
export const json = (how: JsonHow): MessageFormat => Object.freeze({ $format: 'json', ...how })

/** Messages of Avro. */
export const avro = (how: AvroHow = {}): MessageFormat => Object.freeze({ $format: 'avro', ...how })

/** Messages of Protobuf. */
export const protobuf = (how: ProtobufHow): MessageFormat => Object.freeze({ $format: 'protobuf', ...how })

export interface TopicHow {
  /** Default: JSON, one object a message. */
  readonly format?: MessageFormat
  /**
   * Of a source of a table: how keys are read of messages without a value, which delete a row. Default: an object of JSON, or of one
   * column its value as JSON or plain text; what begins with the id of a schema is read by the registry of `format`, if it has one.
   */
  readonly keyFormat?: 'text' | MessageFormat
  /** Of a source, where it begins the first time; an instant is ISO 8601. Partitions that are added later are read whole. Default: 'earliest'. */
  readonly start?: 'earliest' | 'latest' | (string & {})
  /** Of a source: counted up, it begins again at `start`, whatever it has read before. Default 0. */
  readonly epoch?: number
}

export interface KafkaTopic extends TopicHow {
  readonly $source: 'kafka'
  readonly $bus: string
  readonly $connection: KafkaHow
  readonly topic: string
}

export interface Kafka {
  /** A topic, to read from (`from:`) or to write to (`to:` of a sink). */
  topic(name: string, how?: TopicHow): KafkaTopic
}

/** A Kafka cluster. `name` says in messages which one it is. */
export const kafka = (name: string, how: KafkaHow): Kafka =>
  Object.freeze({
    topic: (topic: string, topicHow: TopicHow = {}): KafkaTopic =>
      Object.freeze({ $source: 'kafka', $bus: name, $connection: Object.freeze({ ...how }), topic, ...topicHow }),
  })
