// In the thread of a processor: clocks and chance refuse to be read while its code runs. What it reads there would be another
// thing when the log is replayed, and the rows that it emits with it. PROTOCOL rule 12. Outside of calls, as while the project
// loads, everything works as it does elsewhere.
import { MillraceError } from '../core/errors.ts'

export interface Calls {
  begin(): void
  end(): void
}

export function forbidChance(): Calls {
  let isOpen = false
  const refuse = (what: string, instead: string): void => {
    if (isOpen) throw new MillraceError('MR_PROCESSOR', `${what} was read: it would be another when the log is replayed`, { fix: instead })
  }
  const guard = <T extends object>(of: T, name: keyof T & string, what: string, instead: string): void => {
    const own = of[name] as (...args: unknown[]) => unknown
    const guarded = (...args: unknown[]): unknown => {
      refuse(what, instead)
      return own.apply(of, args)
    }
    Object.defineProperty(of, name, { value: guarded, configurable: true, writable: true })
  }
  guard(Date, 'now', 'the clock', 'use context.now')
  guard(performance, 'now', 'the clock', 'use context.now')
  guard(Math, 'random', 'chance', 'use context.random()')
  guard(crypto, 'randomUUID', 'chance', 'make it from context.random(), or take an id of the row')
  guard(crypto, 'getRandomValues', 'chance', 'use context.random()')
  globalThis.Date = new Proxy(Date, {
    construct(target, args, newTarget) {
      if (args.length === 0) refuse('the clock', 'use context.now')
      return Reflect.construct(target, args, newTarget) as object
    },
    apply(target, self, args) {
      refuse('the clock', 'use context.now')
      return Reflect.apply(target, self, args) as string
    },
  })
  return {
    begin: () => {
      isOpen = true
    },
    end: () => {
      isOpen = false
    },
  }
}
