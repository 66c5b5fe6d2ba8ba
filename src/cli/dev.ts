// `millrace dev` and `millrace start`: run a project in this process until it is told to stop.
import { existsSync, watch } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { systemClock } from '../core/clock.ts'
import { asMillraceError, MillraceError } from '../core/errors.ts'
import { startProject } from '../runtime/start-project.ts'
import { type CommandOptions, dataOf, projectOf } from './options.ts'
import { openOutput, paint, printError } from './output.ts'
import { writeEnv } from './plan.ts'

interface DevOptions extends CommandOptions {
  readonly port: string
  readonly open?: boolean
}

interface StartOptions extends CommandOptions {
  readonly env: string
  readonly port: string
  readonly host: string
  readonly behindTls?: boolean
}

function portOf(text: string): number {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new MillraceError('MR_USAGE', `"${text}" is not a port`, { fix: 'use a number from 0 to 65535' })
  return port
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.')

export async function dev(_: string[], options: DevOptions): Promise<number> {
  return serve(options, { environment: 'dev', host: '127.0.0.1', port: portOf(options.port), isOpen: options.open ?? false, reload: true })
}

export async function start(_: string[], options: StartOptions): Promise<number> {
  if (!isLoopback(options.host) && !options.behindTls) {
    throw new MillraceError('MR_TLS_REQUIRED', `${options.host} can be reached from outside, and there is no TLS`, {
      fix: 'put a proxy with TLS in front and say --behind-tls, or listen on 127.0.0.1',
    })
  }
  return serve(options, { environment: options.env, host: options.host, port: portOf(options.port), isOpen: false, reload: false })
}

interface How {
  readonly environment: string
  readonly host: string
  readonly port: number
  readonly isOpen: boolean
  readonly reload: boolean
}

async function serve(options: CommandOptions, how: How): Promise<number> {
  const output = openOutput(options)
  endWithParent()
  const data = dataOf(options)
  const open = (port: number): ReturnType<typeof startProject> =>
    startProject({ directory: projectOf(options), data, ...how, port, variables: process.env })
  let running = await open(how.port)
  if (how.reload) writeEnv(projectOf(options), running.manifest)
  for (const finding of running.findings) output.warn(`${finding.code}  ${finding.at}  ${finding.message}`)
  const { node } = running
  output.data({ url: node.url, ports: node.ports, data: node.data, pid: process.pid })
  output.line(`${paint('bold', running.manifest.project)} is ready`)
  output.line(`  console  ${node.url}/console/#token=${node.token}`)
  output.line(
    `  streams  curl -H 'Authorization: Bearer <token>' -H 'Content-Type: application/x-ndjson' ${node.url}/streams/<name> -d '...'`,
  )
  output.line(`  sql      millrace query "SELECT 1" --data ${node.data}`)
  output.line(`  token    ${node.data}/token`)
  output.line(paint('dim', 'Ctrl-C stops'))
  flushCompileCache() // what was compiled for this start, for the next one: after a `kill -9` nobody would write it

  const watchers: (() => void)[] = []
  const watchAgain = (): void => {
    for (const stop of watchers.splice(0)) stop()
    watchers.push(...watchFiles(running.files, reload))
  }
  const restart = async (): Promise<void> => {
    try {
      await running.check()
      output.progress('files changed: starting again')
      const port = Number(new URL(running.node.url).port)
      await running.node.stop()
      running = await open(port)
      writeEnv(projectOf(options), running.manifest)
      output.progress('ready')
    } catch (cause) {
      output.warn(printError(asMillraceError(cause)))
    } finally {
      // An editor may have put a new file in the place of the one that was watched.
      watchAgain()
    }
  }
  let isStopped = false
  let isAsked = false
  let reloaded = Promise.resolve()
  /** What changes while it starts again is one more start afterwards. */
  const reload = (): void => {
    if (isAsked) return
    isAsked = true
    reloaded = reloaded.then(() => {
      isAsked = false
      return isStopped ? undefined : restart()
    })
  }
  if (how.reload) watchAgain()
  await untilStopped()
  isStopped = true
  output.progress('stopping')
  // Whoever starts again now is the one to be stopped.
  await reloaded
  for (const watcher of watchers) watcher()
  await running.node.stop()
  return 0
}

const SETTLE_MS = 150

/** Calls back once a burst of changes is over. */
function watchFiles(files: readonly string[], onChange: () => void): (() => void)[] {
  let cancel = (): void => {}
  return files
    .filter((file) => existsSync(file))
    .map((file) => {
      const watcher = watch(file, () => {
        cancel()
        cancel = systemClock.after(SETTLE_MS, onChange)
      })
      return () => watcher.close()
    })
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    let isStopping = false
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (isStopping) process.exit(130)
        isStopping = true
        resolve()
      })
    }
  })
}

/** Started through the launcher on an older Node: when that is killed, this process must not stay behind. */
function endWithParent(): void {
  if (!process.env['MILLRACE_PARENT'] || !process.channel) return
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
  process.channel.unref()
}
