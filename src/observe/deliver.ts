// Sends alerts to channels: a webhook (signed JSON) or a Slack webhook. At least once, with a key by which the receiver can
// recognise repeats.
import { createHmac } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import { retry } from '../core/retry.ts'

export interface AlertMessage {
  /** Stable for one firing: `<alert>:<since>:<state>`. */
  readonly key: string
  readonly alert: string
  readonly state: 'firing' | 'resolved'
  readonly sinceMs: number
  readonly text: string
  readonly detail: Readonly<Record<string, unknown>>
}

export interface Channel {
  readonly kind: 'webhook' | 'slack'
  readonly url: string
}

export interface DeliverParts {
  readonly clock: Clock
  readonly random: Random
  readonly fetch: typeof fetch
  /** Signs webhook bodies (header `Millrace-Signature: t=<ms>,v1=<hex HMAC-SHA-256 of "t.body">`). */
  readonly signingKey: string | undefined
}

/** @throws MR_ALERT_SEND when the channel refused it or could not be reached, after three tries. */
export function deliver(parts: DeliverParts, channel: Channel, message: AlertMessage): Promise<void> {
  return retry(parts.clock, parts.random, { tryMax: 3, waitMs: 500, waitMaxMs: 5_000 }, () => send(parts, channel, message))
}

async function send(parts: DeliverParts, channel: Channel, message: AlertMessage): Promise<void> {
  const body = JSON.stringify(
    channel.kind === 'slack'
      ? { text: `${message.state === 'firing' ? ':red_circle:' : ':large_green_circle:'} *${message.alert}* ${message.text}` }
      : message,
  )
  const nowMs = parts.clock.nowMs()
  const signature = parts.signingKey
    ? { 'millrace-signature': `t=${nowMs},v1=${createHmac('sha256', parts.signingKey).update(`${nowMs}.${body}`).digest('hex')}` }
    : {}
  let response: Response
  try {
    response = await parts.fetch(channel.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': message.key, ...signature },
      body,
      signal: AbortSignal.timeout(10_000),
    })
  } catch (cause) {
    throw new MillraceError('MR_ALERT_SEND', `alert ${message.alert} could not reach its ${channel.kind}`, {
      cause,
      fix: 'check the address of the channel and the network',
    })
  }
  await response.body?.cancel()
  if (!response.ok)
    throw new MillraceError('MR_ALERT_SEND', `the ${channel.kind} of alert ${message.alert} answered ${response.status}`, {
      fix: 'check the address of the channel',
    })
}
