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

export interface AvroHow {
  /** An Avro schema, as JSON: of plain Avro messages; with a registry, what they are read as. What a sink writes follows from its columns. */
  readonly schema?: string | object
  /** A Confluent schema registry: messages begin with a zero byte and the id of their schema. */
  readonly registry?: Text | { readonly url: Text; readonly username?: Text; readonly password?: ConfigRef }
}

export interface ProtobufHow {
  /** Path of a .proto file, relative to the project. */
  readonly proto: string
  /** Full name of the message type: `shop.Click`. */
  readonly message: string
}

export type MessageFormat = 'json' | ({ readonly $format: 'avro' } & AvroHow) | ({ readonly $format: 'protobuf' } & ProtobufHow)

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
