// A token that is fetched when needed and kept until five minutes before its end.
import type { Clock } from '../core/clock.ts'

const EARLY_MS = 300_000

export function tokenCache(clock: Clock, load: () => Promise<{ token: string; lastsSeconds: number }>): () => Promise<string> {
  let known: Promise<{ token: string; endsMs: number }> | null = null
  return async () => {
    const last = await known?.catch(() => null)
    if (last && last.endsMs - EARLY_MS > clock.nowMs()) return last.token
    known = load().then(({ token, lastsSeconds }) => ({ token, endsMs: clock.nowMs() + lastsSeconds * 1_000 }))
    return (await known).token
  }
}
