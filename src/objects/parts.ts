// Large files go in parts, several at once: what is in memory is bounded, and a broken connection repeats one part.

/** Files up to this size go in one request. */
export const WHOLE_BYTES_MAX = 16 << 20
export const PART_BYTES = 16 << 20
const AT_ONCE = 4

export interface Part {
  /** From 0. */
  readonly index: number
  readonly start: number
  readonly length: number
}

export function partsOf(sizeBytes: number, partBytes = PART_BYTES): Part[] {
  const count = Math.max(1, Math.ceil(sizeBytes / partBytes))
  return Array.from({ length: count }, (_, index) => {
    const start = index * partBytes
    return { index, start, length: Math.min(partBytes, sizeBytes - start) }
  })
}

/** `action` of every item, a few at once; the answers in the order of the items. After a failure no further one begins. */
export async function inParallel<T, R>(items: readonly T[], action: (item: T) => Promise<R>, atOnce = AT_ONCE): Promise<R[]> {
  const results: R[] = []
  let next = 0
  let hasFailed = false
  const worker = async (): Promise<void> => {
    while (next < items.length && !hasFailed) {
      const index = next++
      try {
        results[index] = await action(items[index]!)
      } catch (error) {
        hasFailed = true
        throw error
      }
    }
  }
  const workers = await Promise.allSettled(Array.from({ length: Math.min(atOnce, items.length) }, worker))
  const failed = workers.find((worker) => worker.status === 'rejected')
  if (failed) throw failed.reason
  return results
}
