// Where a thread is that does not come back: its stack, taken by V8's inspector, which interrupts even an endless loop. The
// thread is left able to be ended. https://nodejs.org/api/inspector.html, domain NodeWorker
import { Session } from 'node:inspector'
import type { Clock } from '../core/clock.ts'

const WAIT_MS = 2_000
const FRAME_MAX = 10

interface Message {
  readonly method?: string
  readonly params?: {
    readonly scriptId?: string
    readonly url?: string
    readonly callFrames?: readonly {
      readonly functionName: string
      readonly location: { readonly scriptId: string; readonly lineNumber: number; readonly columnNumber: number }
    }[]
  }
}

/** Lines as in an error's stack, of the user's own frames; empty when none could be had. */
export async function stackOfWorker(threadId: number, clock: Clock): Promise<string> {
  const session = new Session()
  const urls = new Map<string, string>()
  let sessionId: string | null = null
  let id = 0
  const post = (method: string): void => {
    session.post('NodeWorker.sendMessageToWorker', { sessionId: sessionId!, message: JSON.stringify({ id: ++id, method }) })
  }
  const paused = new Promise<string>((resolve) => {
    session.on('NodeWorker.attachedToWorker', ({ params }) => {
      // `workerId` counts the attachments of this session; the title names the thread.
      if (!params.workerInfo.title.startsWith(`[worker ${threadId}] `)) return
      sessionId = params.sessionId
      post('Debugger.enable')
      post('Debugger.pause')
    })
    session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
      if (params.sessionId === sessionId) read(JSON.parse(params.message) as Message)
    })
    const read = ({ method, params }: Message): void => {
      if (method === 'Debugger.scriptParsed') urls.set(params!.scriptId!, params!.url!)
      if (method !== 'Debugger.paused') return
      const frames = (params!.callFrames ?? []).map(({ functionName, location }) => {
        const place = `${urls.get(location.scriptId) ?? ''}:${location.lineNumber + 1}:${location.columnNumber + 1}`
        return { place, line: `    at ${functionName || '<anonymous>'} (${place.replace('file://', '').replace(/\?v=\d+/, '')})` }
      })
      const end = frames.findIndex(({ place }) => /\/stream\/processor\/executor\.[jt]s/.test(place))
      const own = (end < 0 ? frames : frames.slice(0, end)).filter(({ place }) => !place.startsWith('node:')).slice(0, FRAME_MAX)
      resolve(own.map(({ line }) => line).join('\n'))
    }
  })
  const done = new AbortController()
  try {
    session.connect()
    session.post('NodeWorker.enable', { waitForDebuggerOnStart: false })
    return await Promise.race([paused, clock.sleep(WAIT_MS, done.signal).then(() => '')])
  } catch {
    return ''
  } finally {
    done.abort()
    // A thread that is paused could not be ended.
    if (sessionId !== null) {
      post('Debugger.resume')
      post('Debugger.disable')
      await clock.sleep(50)
      session.post('NodeWorker.detach', { sessionId })
      session.post('NodeWorker.disable')
    }
    session.disconnect()
  }
}
