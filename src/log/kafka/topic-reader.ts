// One topic as committed messages by partition and offset: what aborted transactions left is not there (read_committed), and markers
// and messages that compaction took are gaps. Where to read is the caller's affair; the group is only told, so that Kafka's own tools
// show the lag. It does not try again: after an error it is closed and another is opened.
import type { Consumer } from '@platformatic/kafka'
import { MillraceError } from '../../core/errors.ts'
import { type ClusterSettings, clientOptions, kafkaError, loadClient } from './cluster.ts'

export interface TopicMessage {
  readonly offset: number
  readonly key: Uint8Array | null
  /** Null is a tombstone. */
  readonly value: Uint8Array | null
}

/** What lies between two offsets of a partition. */
export interface TopicSlice {
  readonly partition: number
  readonly messages: readonly TopicMessage[]
  /** Where to read on. */
  readonly next: number
  /** First offset that is not committed yet. */
  readonly end: number
}

export interface TopicState {
  /** Another one after the topic was made anew. */
  readonly id: string
  /** First offset that is kept and the next that will be given, by partition. */
  readonly partitions: readonly { readonly start: number; readonly end: number }[]
}

/** A topic that can be read. */
export interface TopicReader {
  /** As it is now. @throws MR_KAFKA_TOPIC, MR_KAFKA_BUSY, MR_KAFKA_DENIED */
  state(): Promise<TopicState>
  /** By partition, the first offset at or after the time, milliseconds; the end where there is none. */
  offsetsAt(timeMs: number): Promise<readonly number[]>
  /** The next messages of partitions of `positions`, about `maxBytes` in all; empty when none came for a while. */
  fetch(positions: ReadonlyMap<number, number>, maxBytes: number): Promise<readonly TopicSlice[]>
  /** Tells the group how far the caller is. Failing is no harm. */
  tell(positions: ReadonlyMap<number, number>): Promise<void>
  close(): Promise<void>
}

export interface TopicReaderOptions {
  readonly cluster: ClusterSettings
  readonly topic: string
  /** Group that is told. */
  readonly group: string
}

export type OpenTopic = (options: TopicReaderOptions) => Promise<TopicReader>

const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1
const LATEST = -1n
const EARLIEST = -2n
const WAIT_MS = 500

/** @throws MR_PACKAGE_MISSING. Nothing is asked of the cluster yet. */
export const openTopic: OpenTopic = async ({ cluster, topic, group }) => {
  const client = await loadClient(`reading the topic ${topic}`)
  const options = { ...clientOptions(cluster, 'millrace'), groupId: group, autocommit: false, metadataMaxAge: 30_000 }
  const consumer = new client.Consumer(options)
  consumer.topics.track(topic)
  const admin = new client.Admin(clientOptions(cluster, 'millrace'))
  const doing = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (cause) {
      throw kafkaError(cluster, `${what} of kafka "${cluster.bus}"`, cause)
    }
  }
  const offsets = async (timestamp: bigint, isolationLevel: number): Promise<number[]> =>
    (await consumer.listOffsets({ topics: [topic], timestamp, isolationLevel })).get(topic)!.map(Number)
  return {
    state: () =>
      doing(`topic ${topic}`, async () => {
        const known = (await consumer.metadata({ topics: [topic], forceUpdate: true })).topics.get(topic)
        if (!known)
          throw new MillraceError('MR_KAFKA_TOPIC', `kafka "${cluster.bus}" has no topic ${topic}`, { fix: 'make it, or correct its name' })
        const [starts, ends] = [await offsets(EARLIEST, READ_UNCOMMITTED), await offsets(LATEST, READ_UNCOMMITTED)]
        return { id: known.id, partitions: starts.map((start, partition) => ({ start, end: ends[partition]! })) }
      }),
    offsetsAt: (timeMs) =>
      doing(`topic ${topic}`, async () => {
        const ends = await offsets(LATEST, READ_UNCOMMITTED)
        return (await offsets(BigInt(timeMs), READ_UNCOMMITTED)).map((offset, partition) => (offset < 0 ? ends[partition]! : offset))
      }),
    fetch: (positions, maxBytes) => doing(`topic ${topic}`, () => fetchAll(consumer, topic, positions, maxBytes)),
    tell: (positions) =>
      doing(`group ${group}`, async () => {
        const partitionOffsets = [...positions].map(([partition, offset]) => ({ partition, offset: BigInt(offset) }))
        await admin.alterConsumerGroupOffsets({ groupId: group, topics: [{ name: topic, partitionOffsets }] })
      }),
    async close() {
      await Promise.allSettled([consumer.close(true), admin.close()])
    },
  }
}

async function fetchAll(
  consumer: Consumer,
  topic: string,
  positions: ReadonlyMap<number, number>,
  maxBytes: number,
): Promise<readonly TopicSlice[]> {
  const { id, partitions } = (await consumer.metadata({ topics: [topic] })).topics.get(topic)!
  const byLeader = Map.groupBy(
    [...positions].filter(([partition]) => partition < partitions.length),
    ([partition]) => partitions[partition]!.leader,
  )
  const responses = await Promise.all(
    [...byLeader].map(async ([node, own]) => {
      const wanted = own.map(([partition, offset]) => ({
        partition,
        currentLeaderEpoch: -1,
        fetchOffset: BigInt(offset),
        lastFetchedEpoch: -1,
        partitionMaxBytes: Math.max(1 << 16, Math.floor(maxBytes / own.length)),
      }))
      const topics = [{ topicId: id, partitions: wanted }]
      return consumer.fetch({ node, topics, minBytes: 1, maxBytes, maxWaitTime: WAIT_MS, isolationLevel: READ_COMMITTED })
    }),
  )
  return responses.flatMap(({ responses }) =>
    responses.flatMap((response) =>
      response.partitions
        .filter(({ partitionIndex }) => positions.has(partitionIndex))
        .map((partition) => sliceOf(partition, positions.get(partition.partitionIndex)!)),
    ),
  )
}

const TRANSACTIONAL = 0x10
const CONTROL = 0x20
const ABORT = 0

/** What is needed of the client's answer about one partition. */
export interface Fetched {
  readonly partitionIndex: number
  readonly lastStableOffset: bigint
  readonly abortedTransactions: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[] | null
  readonly records?:
    | readonly {
        readonly firstOffset: bigint
        readonly lastOffsetDelta: number
        readonly attributes: number
        readonly producerId: bigint
        readonly records: readonly { readonly offsetDelta: number; readonly key: Buffer | null; readonly value: Buffer | null }[]
      }[]
    | null
}

/**
 * The committed messages of an answer. The client leaves out some of what was aborted, but not what precedes a second abort of the same
 * producer, nor transactions whose marker is not in the same answer: so this is done here again, by the broker's list of aborted ones.
 * Source: Kafka's KIP-98, "Consumer: reading committed".
 */
export function sliceOf({ partitionIndex, records, abortedTransactions, lastStableOffset }: Fetched, from: number): TopicSlice {
  const waiting = (abortedTransactions ?? []).toSorted((a, b) => Number(a.firstOffset - b.firstOffset))
  const aborted = new Set<bigint>()
  const messages: TopicMessage[] = []
  let next = from
  for (const batch of records ?? []) {
    const first = Number(batch.firstOffset)
    const last = first + batch.lastOffsetDelta
    while (waiting.length > 0 && Number(waiting[0]!.firstOffset) <= last) aborted.add(waiting.shift()!.producerId)
    next = Math.max(next, last + 1)
    if ((batch.attributes & CONTROL) !== 0) {
      if (batch.records[0]?.key?.readInt16BE(2) === ABORT) aborted.delete(batch.producerId)
      continue
    }
    if ((batch.attributes & TRANSACTIONAL) !== 0 && aborted.has(batch.producerId)) continue
    for (const record of batch.records) {
      const offset = first + record.offsetDelta
      if (offset >= from) messages.push({ offset, key: record.key, value: record.value })
    }
  }
  return { partition: partitionIndex, messages, next, end: Number(lastStableOffset) }
}
