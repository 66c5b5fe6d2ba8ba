// How far a topic was copied, as the control store keeps it, and where to read on: never at a place that would invent or leave out
// rows without a word. PROTOCOL rule 2. Pure.
import { MillraceError } from '../../core/errors.ts'
import type { TopicState } from '../../log/kafka/topic-reader.ts'

export interface Positions {
  /** Of the topic that was read. */
  readonly id: string
  /** By partition: all before is durable in the log. */
  readonly next: readonly number[]
}

/** What is said of the source in messages. */
export interface Named {
  readonly relation: string
  readonly topic: string
  readonly epoch: number
}

/**
 * Partitions that were added are read from their first message.
 * @throws MR_KAFKA_TOPIC when the topic was made anew; MR_KAFKA_RANGE when it has lost what was to be read, or ends before.
 */
export function readOn({ relation, topic, epoch }: Named, saved: Positions, state: TopicState): Positions {
  const fix = `to begin again in what is there now, say epoch: ${epoch + 1} and a start of the topic in the definition of ${relation}`
  if (saved.id !== state.id)
    throw new MillraceError('MR_KAFKA_TOPIC', `topic ${topic} was made anew: ${relation} has read ${saved.id}, and it is ${state.id} now`, {
      fix,
    })
  const next = state.partitions.map(({ start, end }, partition) => {
    const at = saved.next[partition] ?? start
    if (at < start)
      throw new MillraceError(
        'MR_KAFKA_RANGE',
        `topic ${topic}, partition ${partition}, begins at offset ${start}, and ${relation} was to read on at ${at}: ${start - at} messages are gone`,
        { fix },
      )
    if (at > end)
      throw new MillraceError(
        'MR_KAFKA_RANGE',
        `topic ${topic}, partition ${partition}, ends at offset ${end}, and ${relation} has read up to ${at}: messages that it has were lost`,
        { fix },
      )
    return at
  })
  return { id: state.id, next }
}
