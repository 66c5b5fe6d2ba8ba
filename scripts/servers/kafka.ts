// A real Kafka to test against: one Apache Kafka broker in KRaft mode (its own controller), resolved with Maven at a pinned version
// into .cache, on free loopback ports. `node scripts/servers/kafka.ts` installs it; tests call `startKafka`. Needs Java 17 and Maven.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { resolveJars } from './maven.ts'
import { freePort } from './ports.ts'
import { run } from './run.ts'

const KAFKA = '4.1.1'
const ARTIFACTS = [`org.apache.kafka:kafka_2.13:${KAFKA}`, `org.apache.kafka:kafka-tools:${KAFKA}`, 'org.slf4j:slf4j-simple:1.7.36']
/** Any 16 bytes in base64 without padding. */
const CLUSTER = 'TWlsbHJhY2VLYWZrYTAwMQ'
const START_SECONDS = 90

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const home = join(root, '.cache', `kafka-${KAFKA}`)

/** A class path, or why there is none. */
export function installKafka(): { readonly classPath: string } | { readonly missing: string } {
  const failed = run('java', ['-version']) ?? resolveJars(home, ARTIFACTS)
  return failed ? { missing: failed } : { classPath: [join(home, 'lib', '*')].join(delimiter) }
}

export interface KafkaServer {
  /** `127.0.0.1:<port>`. */
  readonly brokers: string
  /** Where the user logs in, and what the certificate is checked by. */
  readonly secure?: { readonly brokers: string; readonly ca: string }
  /** Of the broker as it runs now. */
  readonly pid: number
  /** Ends it at once, as a crash does; `start` brings it back with what it had, on the same port. */
  kill(): Promise<void>
  start(): Promise<void>
  /** Everything that Kafka's own consumer sees of a topic, committed only, in the order of each partition. */
  read(topic: string): Promise<readonly KafkaRecord[]>
  stop(): void
}

export interface KafkaRecord {
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  /** Null for a tombstone: text that says null cannot be told from it. */
  readonly value: string | null
}

export interface KafkaUser {
  readonly name: string
  readonly password: string
}

/**
 * A broker without topics, or why there is none. `settings`: of the broker, beside those that it needs; `user`: with a second listener,
 * where this user logs in over TLS.
 */
export async function startKafka(
  settings: Readonly<Record<string, string>> = {},
  user?: KafkaUser,
): Promise<KafkaServer | { readonly missing: string }> {
  const installed = installKafka()
  if ('missing' in installed) return installed
  const directory = mkdtempSync(join(tmpdir(), 'millrace-kafka-'))
  const port = await freePort()
  const properties = join(directory, 'server.properties')
  const secure = user ? await secureListener(directory, user) : undefined
  if (secure && 'missing' in secure) return secure
  writeFileSync(properties, propertiesOf(directory, port, await freePort(), secure, settings))
  mkdirSync(join(directory, 'data'))
  const java = ['-Xmx512m', '-Xms256m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', installed.classPath]
  const scrams = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) =>
    user ? ['--add-scram', `${mechanism}=[name=${user.name},password=${user.password}]`] : [],
  )
  const formatted = run('java', [...java, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER, '-c', properties, ...scrams])
  if (formatted) return { missing: formatted }
  let server: ChildProcess | undefined
  const end = async (): Promise<void> => {
    const running = server
    server = undefined
    if (!running || running.exitCode !== null || running.signalCode !== null) return
    await new Promise((resolve) => {
      running.once('exit', resolve)
      running.kill('SIGKILL')
    })
  }
  const stop = (): void => {
    server?.kill('SIGKILL')
    server = undefined
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  }
  const start = async (): Promise<string | undefined> => {
    server = spawn('java', [...java, 'kafka.Kafka', properties], { stdio: ['ignore', 'pipe', 'pipe'] })
    return untilListens(port, server)
  }
  process.once('exit', stop)
  const failed = await start()
  if (failed) {
    stop()
    return { missing: `Kafka does not start: ${failed}` }
  }
  return {
    brokers: `127.0.0.1:${port}`,
    ...(secure ? { secure: { brokers: `localhost:${secure.port}`, ca: secure.certificate } } : {}),
    get pid() {
      return server?.pid ?? 0
    },
    kill: end,
    start: async () => {
      const why = await start()
      if (why) throw new Error(`Kafka does not start again: ${why}`)
    },
    read: (topic) => readAll([...java, 'org.apache.kafka.tools.consumer.ConsoleConsumer'], `127.0.0.1:${port}`, topic),
    stop: () => {
      process.removeListener('exit', stop)
      stop()
    },
  }
}

const SEPARATOR = '\u0001'

function readAll(java: readonly string[], brokers: string, topic: string): Promise<readonly KafkaRecord[]> {
  const properties = ['print.partition=true', 'print.offset=true', 'print.key=true', `key.separator=${SEPARATOR}`]
  const args = [
    '--bootstrap-server',
    brokers,
    '--topic',
    topic,
    '--from-beginning',
    '--isolation-level',
    'read_committed',
    '--timeout-ms',
    '8000',
  ]
  const child = spawn('java', [...java, ...args, ...properties.flatMap((property) => ['--property', property])], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return new Promise((resolve, reject) => {
    let [output, errors] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors = `${errors}${text}`.slice(-2_000)
    })
    child.once('error', reject)
    child.once('close', () => {
      // It ends by its time limit, with an error, whenever it has seen all.
      if (!errors.includes('TimeoutException') && !errors.includes('Processed a total of'))
        return reject(new Error(`the consumer failed: ${errors}`))
      resolve(
        output
          .split('\n')
          .filter((line) => line.includes(SEPARATOR))
          .map(recordOf),
      )
    })
  })
}

function recordOf(line: string): KafkaRecord {
  const [partition, offset, key, ...value] = line.split(SEPARATOR)
  const text = value.join(SEPARATOR)
  return {
    partition: Number(partition!.replace('Partition:', '')),
    offset: Number(offset!.replace('Offset:', '')),
    key: key === 'null' ? null : key!,
    value: text === 'null' ? null : text,
  }
}

interface SecureListener {
  readonly port: number
  /** PEM. */
  readonly certificate: string
  readonly settings: Readonly<Record<string, string>>
}

/** A certificate of its own for localhost, and a user by all three mechanisms. */
async function secureListener(directory: string, { name, password }: KafkaUser): Promise<SecureListener | { readonly missing: string }> {
  const [store, pem] = [join(directory, 'keys.p12'), join(directory, 'certificate.pem')]
  const common = ['-keystore', store, '-storetype', 'PKCS12', '-storepass', 'changeit', '-alias', 'broker']
  const failed =
    run('keytool', [
      '-genkeypair',
      ...common,
      '-keyalg',
      'RSA',
      '-validity',
      '30',
      '-dname',
      'CN=localhost',
      '-ext',
      'san=dns:localhost',
    ]) ?? run('keytool', ['-exportcert', '-rfc', ...common, '-file', pem])
  if (failed) return { missing: failed }
  const module = (kind: string, more: string): string => `org.apache.kafka.common.security.${kind} required ${more};`
  return {
    port: await freePort(),
    certificate: readFileSync(pem, 'utf8'),
    settings: {
      'ssl.keystore.location': store,
      'ssl.keystore.type': 'PKCS12',
      'ssl.keystore.password': 'changeit',
      'ssl.key.password': 'changeit',
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
      'listener.name.secure.plain.sasl.jaas.config': module('plain.PlainLoginModule', `user_${name}="${password}"`),
      'listener.name.secure.scram-sha-256.sasl.jaas.config': module('scram.ScramLoginModule', ''),
      'listener.name.secure.scram-sha-512.sasl.jaas.config': module('scram.ScramLoginModule', ''),
    },
  }
}

function propertiesOf(
  directory: string,
  port: number,
  controller: number,
  secure: SecureListener | undefined,
  settings: Readonly<Record<string, string>>,
): string {
  const listeners = [`PLAINTEXT://127.0.0.1:${port}`, ...(secure ? [`SECURE://localhost:${secure.port}`] : [])]
  const all = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    listeners: [...listeners, `CONTROLLER://127.0.0.1:${controller}`].join(','),
    'advertised.listeners': listeners.join(','),
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL',
    'inter.broker.listener.name': 'PLAINTEXT',
    ...secure?.settings,
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(directory, 'data'),
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    ...settings,
  }
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

/** Undefined once the port takes connections; why not when the process ends or the time is up. */
async function untilListens(port: number, server: ChildProcess): Promise<string | undefined> {
  let output = ''
  let ended = false
  for (const stream of [server.stdout!, server.stderr!])
    stream.on('data', (chunk: Buffer) => {
      output = `${output}${chunk}`.slice(-2_000)
    })
  server.once('error', (error) => {
    output += error.message
    ended = true
  })
  server.once('exit', () => {
    ended = true
  })
  for (let waited = 0; waited < START_SECONDS * 10; waited++) {
    if (ended) return output.trim()
    if (await connects(port)) return undefined
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  server.kill('SIGKILL')
  return `no answer within ${START_SECONDS} s: ${output.trim()}`
}

const connects = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const result = installKafka()
  console.log('classPath' in result ? `Kafka is installed: ${home}` : result.missing)
  process.exitCode = 'classPath' in result ? 0 : 1
}
