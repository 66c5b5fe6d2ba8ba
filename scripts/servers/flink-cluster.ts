// A Flink cluster on this machine: a JobManager, one TaskManager of two slots, and a client that plans SQL for them, each a process
// of its own on free loopback ports. Jobs run one at a time; the processor time of a process is read from the kernel.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { freePort } from './ports.ts'

export interface FlinkRequest {
  readonly set: Readonly<Record<string, string>>
  readonly tables: readonly string[]
}

export interface FlinkJob {
  /** From RUNNING to FINISHED by the JobManager's clock. */
  readonly wallSeconds: number
  /** Of JobManager and TaskManager, from before the job was sent until it had finished; the client's planning is not in it. */
  readonly cpuSeconds: number
}

export interface FlinkOptions {
  /** Memory of tasks on the heap, and that of RocksDB. */
  readonly heapMb?: number
  readonly managedMb?: number
}

const TICKS_PER_SECOND = 100

export class FlinkCluster {
  readonly #directory = mkdtempSync(join(tmpdir(), 'millrace-flink-'))
  readonly #processes: ChildProcess[] = []
  #rest = 0
  #client: { readonly child: ChildProcess; readonly lines: AsyncIterator<string> } | null = null

  /** `java`: arguments that come before the program, of `installFlink`. */
  static async start(java: readonly string[], options: FlinkOptions = {}): Promise<FlinkCluster> {
    const cluster = new FlinkCluster()
    try {
      await cluster.#start(java, options)
    } catch (cause) {
      await cluster[Symbol.asyncDispose]()
      throw cause
    }
    return cluster
  }

  async #start(java: readonly string[], { heapMb = 1_024, managedMb = 512 }: FlinkOptions): Promise<void> {
    const [rpc, rest] = await Promise.all([freePort(), freePort()])
    this.#rest = rest
    writeFileSync(join(this.#directory, 'config.yaml'), configuration({ rpc, rest, directory: this.#directory, heapMb, managedMb }))
    writeFileSync(join(this.#directory, 'log4j2.properties'), LOGGING)
    mkdirSync(join(this.#directory, 'tmp'))
    const run = (memory: string, ...program: string[]): ChildProcess => {
      const log = openSync(join(this.#directory, `${this.#processes.length}.log`), 'a')
      const quiet = [
        `-Dlog4j.configurationFile=file:${join(this.#directory, 'log4j2.properties')}`,
        `-Djava.io.tmpdir=${join(this.#directory, 'tmp')}`,
      ]
      const child = spawn('java', [memory, ...quiet, ...java, ...program], {
        stdio: ['pipe', this.#processes.length === 2 ? 'pipe' : log, log],
        env: { ...process.env, FLINK_CONF_DIR: this.#directory },
      })
      closeSync(log)
      this.#processes.push(child)
      return child
    }
    // Whoever started it may end before it is disposed of.
    process.once('exit', () => {
      for (const child of this.#processes) child.kill('SIGKILL')
    })
    run('-Xmx512m', 'org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint', '--configDir', this.#directory)
    run(`-Xmx${heapMb + 256}m`, 'org.apache.flink.runtime.taskexecutor.TaskManagerRunner', '--configDir', this.#directory)
    const program = join(dirname(fileURLToPath(import.meta.url)), 'FlinkJobs.java')
    const child = run('-Xmx512m', program, String(rest))
    this.#client = { child, lines: createInterface({ input: child.stdout! })[Symbol.asyncIterator]() }
    await this.#until(
      async () => ((await this.#get('/overview')) as { 'slots-available'?: number } | undefined)?.['slots-available'] === 2,
      'the cluster did not start',
    )
  }

  /** Rows that a query has when its bounded input ends, values as text. */
  async rows(request: FlinkRequest & { readonly select: string }): Promise<readonly (readonly (string | null)[])[]> {
    return (await this.#ask(request)).rows!
  }

  /** Runs an INSERT to its end. */
  async run(request: FlinkRequest & { readonly insert: string }): Promise<FlinkJob> {
    const before = this.#cpuSeconds()
    const { job } = await this.#ask(request)
    const last = await this.#ended(job!)
    if (last.state !== 'FINISHED') {
      const why = JSON.stringify(await this.#get(`/jobs/${job}/exceptions`)).slice(0, 2_000)
      throw new Error(`the job ended as ${last.state}: ${why}`)
    }
    return { wallSeconds: (last['end-time'] - last.timestamps.RUNNING) / 1_000, cpuSeconds: this.#cpuSeconds() - before }
  }

  async #ended(job: string): Promise<Job> {
    let last: Job | undefined
    await this.#until(async () => {
      last = (await this.#get(`/jobs/${job}`)) as Job | undefined
      return last !== undefined && ['FINISHED', 'FAILED', 'CANCELED'].includes(last.state)
    }, 'the job did not end')
    return last!
  }

  #cpuSeconds(): number {
    return this.#processes.slice(0, 2).reduce((sum, { pid }) => sum + cpuSecondsOf(pid!), 0)
  }

  async #ask(request: object): Promise<{ readonly job?: string; readonly rows?: (string | null)[][] }> {
    const { child, lines } = this.#client!
    child.stdin!.write(`${JSON.stringify(request)}\n`)
    for (;;) {
      const { value: line, done } = await lines.next()
      if (done) throw new Error(`the client ended: ${this.#log(2)}`)
      if (!line.startsWith('ANSWER ')) continue
      const answer = JSON.parse(line.slice('ANSWER '.length)) as {
        readonly error?: string
        readonly job?: string
        readonly rows?: (string | null)[][]
      }
      if (answer.error) throw new Error(`Flink: ${answer.error}`)
      return answer
    }
  }

  async #get(path: string): Promise<object | undefined> {
    try {
      return (await (await fetch(`http://127.0.0.1:${this.#rest}${path}`)).json()) as object
    } catch {
      return undefined
    }
  }

  async #until(isDone: () => Promise<boolean>, otherwise: string): Promise<void> {
    for (let i = 0; i < 12_000; i++) {
      if (await isDone()) return
      const ended = this.#processes.findIndex(({ exitCode }) => exitCode !== null)
      if (ended >= 0) throw new Error(`${otherwise}: ${this.#log(ended)}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(otherwise)
  }

  #log(index: number): string {
    return readFileSync(join(this.#directory, `${index}.log`), 'utf8').slice(-2_000)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#processes) {
      if (child.exitCode !== null) continue
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    }
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

interface Job {
  readonly state: string
  readonly timestamps: { readonly RUNNING: number }
  readonly 'end-time': number
}

/** User and system time, fields 14 and 15 of proc(5). */
function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

const LOGGING = `rootLogger.level = WARN
rootLogger.appenderRef.console.ref = Console
appender.console.type = Console
appender.console.name = Console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c - %m%n
`

interface Configuration {
  readonly rpc: number
  readonly rest: number
  readonly directory: string
  readonly heapMb: number
  readonly managedMb: number
}

/** What the start scripts of Flink would compute is written out: its programs are started directly. */
const configuration = ({ rpc, rest, directory, heapMb, managedMb }: Configuration): string => `jobmanager.rpc.address: 127.0.0.1
jobmanager.rpc.port: ${rpc}
jobmanager.bind-host: 127.0.0.1
jobmanager.memory.heap.size: 512m
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
rest.port: ${rest}
blob.server.port: 0
taskmanager.host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
taskmanager.numberOfTaskSlots: 2
taskmanager.cpu.cores: 2.0
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.framework.off-heap.size: 128m
taskmanager.memory.task.heap.size: ${heapMb}m
taskmanager.memory.task.off-heap.size: 0m
taskmanager.memory.network.min: 128m
taskmanager.memory.network.max: 128m
taskmanager.memory.managed.size: ${managedMb}m
taskmanager.memory.jvm-metaspace.size: 512m
taskmanager.memory.jvm-overhead.min: 192m
taskmanager.memory.jvm-overhead.max: 192m
parallelism.default: 2
io.tmp.dirs: ${join(directory, 'tmp')}
restart-strategy.type: none
`
