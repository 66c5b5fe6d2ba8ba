// The state of a stream as words.
import type { StreamSummary } from '../../../src/serve/answers/streams.ts'
import { balances } from '../ui/conservation.tsx'
import type { StateWords } from '../ui/state.tsx'

export function streamWords(of: StreamSummary): StateWords {
  if (of.stopped !== null) return { tone: 'bad', word: 'Stopped' }
  if (!balances(of.conservation)) return { tone: 'bad', word: 'Does not balance' }
  if (of.behind.length > 0) return { tone: 'warn', word: `Partition ${of.behind.slice(0, 3).join(', ')} behind` }
  if (of.conservation.in === 0) return { tone: 'idle', word: 'No rows yet' }
  return { tone: 'ok', word: 'Keeps up' }
}
