// What the tests of topics share: a real broker, producers of it, and projects over it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Admin, Producer } from '@platformatic/kafka'
import { type KafkaServer, type KafkaUser, startKafka } from '../../scripts/servers/kafka.ts'
import { startServer, type TestServer } from '../server/server.ts'

/** Undefined where none can be had: the test is skipped then, with the reason. */
export async function brokerFor(t: TestContext, user?: KafkaUser): Promise<KafkaServer | undefined> {
  const server = await startKafka({}, user)
  if ('missing' in server) {
    if (process.env['CI'] === 'true' && process.env['MILLRACE_TEST_ALL'] === '1') throw new Error(server.missing)
    t.skip(server.missing)
    return undefined
  }
  t.after(() => server.stop())
  return server
}

export interface Sent {
  readonly topic: string
  readonly partition?: number
  readonly key?: string | Buffer
  readonly value: string | Buffer | null
}

const recordOf = ({ topic, partition, key, value }: Sent) => ({
  topic,
  ...(partition === undefined ? {} : { partition }),
  ...(key === undefined ? {} : { key: Buffer.from(key) }),
  ...(value === null ? {} : { value: Buffer.from(value) }),
})

export class Bus {
  readonly admin: Admin
  readonly #brokers: string
  readonly #producers = new Map<string, Producer>()

  constructor(t: TestContext, brokers: string) {
    this.#brokers = brokers
    this.admin = new Admin({ clientId: 'test', bootstrapBrokers: [brokers], retries: 20, retryDelay: 300 })
    t.after(() => this.close())
  }

  async make(topic: string, partitions: number, configs: Readonly<Record<string, string>> = {}): Promise<void> {
    const list = Object.entries(configs).map(([name, value]) => ({ name, value }))
    await this.admin.createTopics({ topics: [topic], partitions, replicas: 1, configs: list })
  }

  async send(sent: readonly Sent[], compression: 'none' | 'gzip' | 'zstd' | 'snappy' | 'lz4' = 'none'): Promise<void> {
    await this.#producer('').send({ acks: -1, compression, messages: sent.map(recordOf) })
  }

  /** In a transaction, which is committed or not. */
  async sendAs(name: string, sent: readonly Sent[], isCommitted: boolean): Promise<void> {
    const producer = this.#producer(name)
    try {
      const transaction = await producer.beginTransaction({ producerId: -1n, producerEpoch: -1 })
      await transaction.send({ acks: -1, messages: sent.map(recordOf) })
      await (isCommitted ? transaction.commit() : transaction.abort())
    } catch (error) {
      // The next one of this name ends what it has left open.
      this.#producers.delete(name)
      await producer.close(true)
      throw error
    }
  }

  #producer(name: string): Producer {
    const options = { clientId: 'test', bootstrapBrokers: [this.#brokers], idempotent: true, retries: 60, retryDelay: 500 }
    const known = this.#producers.get(name) ?? new Producer(name === '' ? options : { ...options, transactionalId: name })
    this.#producers.set(name, known)
    return known
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.admin.close(), ...[...this.#producers.values()].map((producer) => producer.close(true))])
  }
}

/** A project of one file in a directory. */
export function projectIn(directory: string, source: string): string {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'millrace.ts'), source)
  return directory
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Asks until the answer is as it should be, or a minute has passed; the last answer. */
export async function until<T>(ask: () => Promise<T>, is: (answer: T) => boolean, seconds = 60): Promise<T> {
  for (let waited = 0; ; waited += 200) {
    const answer = await ask()
    if (is(answer) || waited >= seconds * 1_000) return answer
    await sleep(200)
  }
}

export const countOf = async (server: TestServer, relation: string): Promise<number> =>
  Number((await server.sql(`SELECT count(*) FROM ${relation}`))[0]![0])

const HEAD = `
import { config, model, project, secret, sink, sql, stream, t, table } from 'millrace'
import { avro, json, kafka, protobuf } from 'millrace/kafka'
const bus = kafka('bus', { brokers: config('BROKERS') })
`

/** A broker, and projects over it in a directory of their own. */
export interface World {
  readonly broker: KafkaServer
  readonly bus: Bus
  readonly directory: string
  start(source: string, env?: Record<string, string>): Promise<TestServer>
}

/** Undefined as `brokerFor`. */
export async function worldFor(t: TestContext, user?: KafkaUser): Promise<World | undefined> {
  const broker = await brokerFor(t, user)
  if (!broker) return undefined
  const directory = mkdtempSync(join(tmpdir(), 'millrace-topics-'))
  let running: TestServer | undefined
  t.after(async () => {
    if (running?.child.exitCode === null) await running.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  })
  return {
    broker,
    bus: new Bus(t, broker.brokers),
    directory,
    async start(source, env = {}) {
      const project = projectIn(join(directory, 'project'), HEAD + source)
      running = await startServer({
        project,
        data: join(directory, 'data'),
        env: { BROKERS: broker.brokers, MILLRACE_FLUSH_MS: '1000', ...env },
      })
      return running
    },
  }
}

export interface Flow {
  readonly name: string
  readonly lag: number | null
  readonly stopped: { readonly code: string; readonly message: string; readonly fix: string } | null
}

export const flowsOf = async (server: TestServer): Promise<readonly Flow[]> =>
  ((await (await server.get('/admin/overview')).json()) as { flows: readonly Flow[] }).flows

/** Why a flow stands still, when it does. */
export const stoppedOf = async (server: TestServer, name: string): Promise<Flow['stopped']> =>
  (
    await until(
      () => flowsOf(server),
      (flows) => flows.some((flow) => flow.name === name && flow.stopped !== null),
      30,
    )
  ).find((flow) => flow.name === name)!.stopped
