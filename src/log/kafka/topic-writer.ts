// Writes to one topic in transactions that are numbered: the number is committed with the messages, as an offset of a group of its
// own, so that Kafka itself says which transactions there were. Who opens a writer of the same name fences those before. It does not
// try again: after an error nothing is known but what the next writer reads. Source: Kafka's KIP-98.
import type { Message, Producer } from '@platformatic/kafka'
import { MillraceError } from '../../core/errors.ts'
import { partitionOf } from '../../schema/partition-hash.ts'
import { type ClusterSettings, clientOptions, isAnswer, kafkaError, loadClient } from './cluster.ts'

export interface OutMessage {
  /** Null: messages of no key are spread. */
  readonly key: Uint8Array | null
  /** Null is a tombstone. */
  readonly value: Uint8Array | null
}

/** A topic that can be written to. */
export interface TopicWriter {
  /** Of the last transaction that was committed; null when Kafka knows of none (or has forgotten, as it does after a week without). */
  readonly committed: number | null
  /**
   * All of it, or none, is seen by those who read committed messages. @throws MR_KAFKA_*; then it may be either, and the writer is of
   * no use any more.
   */
  write(number: number, messages: readonly OutMessage[]): Promise<void>
  close(): Promise<void>
}

export interface TopicWriterOptions {
  readonly cluster: ClusterSettings
  readonly topic: string
  /** Transactional id and group. */
  readonly name: string
}

export type OpenWriter = (options: TopicWriterOptions) => Promise<TopicWriter>

/** Brokers take a batch of one MiB unless they are told otherwise. */
const BATCH_BYTES = 512 << 10
const BATCH_MESSAGES = 10_000
const OVERHEAD_BYTES = 80
/** No producer of before: the client says 0 unless it is told. */
const NEW_PRODUCER = { producerId: -1n, producerEpoch: -1 }
const TRIES = 20

/** @throws MR_PACKAGE_MISSING, MR_KAFKA_* */
export const openWriter: OpenWriter = async ({ cluster, topic, name }) => {
  const client = await loadClient(`writing to the topic ${topic}`)
  const options = clientOptions(cluster, 'millrace')
  const producer = new client.Producer({ ...options, transactionalId: name, idempotent: true, acks: -1 })
  const consumer = new client.Consumer({ ...options, groupId: name, autocommit: false })
  const admin = new client.Admin(options)
  const close = async (): Promise<void> => void (await Promise.allSettled([producer.close(true), consumer.close(true), admin.close()]))
  const doing = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (cause) {
      throw kafkaError(cluster, `topic ${topic} of kafka "${cluster.bus}"`, cause)
    }
  }
  let turn = 0
  try {
    return await doing(async () => {
      if (!(await producer.metadata({ topics: [topic], forceUpdate: true })).topics.get(topic))
        throw new MillraceError('MR_KAFKA_TOPIC', `kafka "${cluster.bus}" has no topic ${topic}`, { fix: 'make it, or correct its name' })
      consumer.topics.track(topic)
      await fence(producer)
      const asked = await admin.listConsumerGroupOffsets({
        groups: [{ groupId: name, topics: [{ name: topic, partitionIndexes: [0] }] }],
        requireStable: true,
      })
      const offset = asked[0]?.topics[0]?.partitions[0]?.committedOffset ?? -1n
      const coordinatorId = await consumer.findGroupCoordinator()
      return {
        committed: offset < 0n ? null : Number(offset),
        write: (number, messages) =>
          doing(async () => {
            const { partitionsCount } = (await producer.metadata({ topics: [topic] })).topics.get(topic)!
            const transaction = await producer.beginTransaction()
            for (const batch of batchesOf(messages)) {
              turn++
              await transaction.send({
                acks: -1,
                messages: batch.map(({ key, value }) => ({
                  topic,
                  partition: key ? partitionOf(key, 0, key.length, partitionsCount) : turn % partitionsCount,
                  ...(key ? { key: buffer(key) } : {}),
                  ...(value ? { value: buffer(value) } : {}),
                })),
              })
            }
            await transaction.addConsumer(consumer)
            // The client commits the offset behind that of a message.
            const consumed = { groupId: name, generationId: -1, memberId: '', coordinatorId }
            await transaction.addOffset({
              topic,
              partition: 0,
              offset: BigInt(number) - 1n,
              metadata: { consumer: consumed },
            } as unknown as Message)
            await transaction.commit()
          }),
        close,
      }
    })
  } catch (error) {
    await close()
    throw error
  }
}

const buffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function* batchesOf(messages: readonly OutMessage[]): Generator<readonly OutMessage[]> {
  let from = 0
  let bytes = 0
  for (const [index, { key, value }] of messages.entries()) {
    const size = (key?.length ?? 0) + (value?.length ?? 0) + OVERHEAD_BYTES
    if (index > from && (bytes + size > BATCH_BYTES || index - from >= BATCH_MESSAGES)) {
      yield messages.slice(from, index)
      from = index
      bytes = 0
    }
    bytes += size
  }
  if (from < messages.length) yield messages.slice(from)
}

/** Ends what another one of this name has begun: it waits for the end of a transaction that was being committed. */
async function fence(producer: Producer): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      const transaction = await producer.beginTransaction(NEW_PRODUCER)
      await transaction.cancel() // nothing was begun at the broker
      return
    } catch (error) {
      if (tries === TRIES || !isAnswer(error, 'CONCURRENT_TRANSACTIONS', 'COORDINATOR_LOAD_IN_PROGRESS', 'NOT_COORDINATOR')) throw error
    }
  }
}
