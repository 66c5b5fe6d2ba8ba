// What flows between the project and topics of Kafka, in and out.

/** A topic of Kafka that flows into a relation, or what a sink writes. */
export interface FlowSummary {
  readonly direction: 'in' | 'out'
  /** Of the relation that is fed, or the sink. */
  readonly name: string
  readonly relation: string
  readonly topic: string
  /** What the project calls the cluster. */
  readonly bus: string
  /** In: messages that are not in the log yet; out: rows that are committed and not written. Null while it is not known. */
  readonly lag: number | null
  readonly stopped: { readonly code: string; readonly message: string; readonly fix: string | null; readonly sinceMs: number } | null
}

export interface NodeFlow extends Pick<FlowSummary, 'topic' | 'bus' | 'lag' | 'stopped'> {
  readonly format: 'json' | 'avro' | 'protobuf'
  /** Of a sink, columns of the message's key; empty = messages have none. */
  readonly key?: readonly string[]
  /** Of a sink: how long a row of a live relation may wait before it is written. */
  readonly everyMs?: number
}
