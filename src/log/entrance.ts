// Where a thread that has rows hands them to the log: packed appends come through a port, and what became of them goes back. The log
// may be in this thread or in one of its own; whoever appends does not wait for any third.
import { asMillraceError } from '../core/errors.ts'
import { type SentError, sentError } from '../core/sent-error.ts'
import type { Entrance, Log } from './log.ts'
import { callsOf, type PackedAnswers, type PackedAppends, packAppended, slotsOf } from './packed-appends.ts'

/** `slot`: where the bytes lie, when they are not sent along. */
export type EntranceAppends = PackedAppends & { readonly slot: number | null }

/** Until the other side closes its port. */
export function serveEntrance(log: Pick<Log, 'append'>, { port, memory, topics }: Entrance): void {
  const slots = slotsOf(memory)
  const fingerprints = topics.map(({ fingerprint }) => fingerprint)
  let numbers: number[] = []
  let errors: [call: number, error: SentError][] = []
  let free: number[] = []

  /** What one group commit answers goes in one message: its promises are settled together, before the next tick. */
  const schedule = (): void => {
    if (numbers.length > 0 || errors.length > 0) return
    process.nextTick(() => {
      const packed: PackedAnswers = { numbers: Float64Array.from(numbers), errors, free }
      port.postMessage(packed, [packed.numbers.buffer as ArrayBuffer])
      numbers = []
      errors = []
      free = []
    })
  }

  port.on('message', ({ slot, ...packed }: EntranceAppends) => {
    const calls = [...callsOf(slot === null ? packed : { ...packed, bytes: slots[slot]! }, fingerprints)]
    let waiting = calls.length
    const settled = (): void => {
      schedule()
      if (--waiting === 0 && slot !== null) free.push(slot)
    }
    for (const { call, topic, parts } of calls) {
      log.append(topics[topic]!.topic, parts).then(
        (appended) => {
          settled()
          packAppended(numbers, call, appended)
        },
        (cause) => {
          settled()
          errors.push([call, sentError(asMillraceError(cause))])
        },
      )
    }
  })
}
