// Notes: an error with its code and fix, an empty answer with what fills it, what may not be read. They stand where the
// answer would stand; the page around them stays (DESIGN section 5).
import type { ReactNode } from 'react'
import { ApiError } from '../api/client.ts'
import { Icon } from './icon.tsx'

export function Note({ tone = 'idle', children }: { readonly tone?: 'bad' | 'warn' | 'idle'; readonly children: ReactNode }) {
  return (
    <div className={`note ${tone === 'idle' ? '' : tone}`}>
      <span className={`c-${tone}`} style={{ paddingTop: 2 }}>
        <Icon name={tone} size={16} />
      </span>
      <div className="col">{children}</div>
    </div>
  )
}

/** `path:line` of the reader's own project; it opens in no browser, so it is text to copy. */
export function At({ at }: { readonly at: string }) {
  return <span className="mono t2 wrap-text">{at}</span>
}

export function Fix({ fix, at }: { readonly fix?: string | undefined; readonly at?: string | undefined }) {
  if (fix === undefined) return null
  return (
    <p className="s12" style={{ marginTop: 6 }}>
      <span className="m5">To fix:</span> {fix}
      {at === undefined ? null : (
        <>
          {' '}
          (<At at={at} />)
        </>
      )}
    </p>
  )
}

/** An answer that failed. 401 and 403 say what is missing, nothing else. */
export function ErrorNote({ error, again }: { readonly error: unknown; readonly again?: () => void }) {
  if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return <Forbidden error={error} />
  const known = error instanceof ApiError ? error : null
  const message = error instanceof Error ? error.message : String(error)
  const details = [known?.code, message, known?.fix].filter((part) => part !== undefined).join('\n')
  return (
    <div className="state-box" role="alert">
      <div className="sp-note">
        <Note tone="bad">
          <div className="m5 wrap-text">{message}</div>
          {known === null ? null : <div className="s12 t2 mono">{known.code}</div>}
          <Fix fix={known?.fix} at={known?.at} />
        </Note>
      </div>
      <div className="row">
        {again === undefined ? null : (
          <button type="button" className="btn sm" onClick={again}>
            Try again
          </button>
        )}
        <button type="button" className="btn sm ghost" onClick={() => void navigator.clipboard.writeText(details)}>
          Copy details
        </button>
      </div>
    </div>
  )
}

function Forbidden({ error }: { readonly error: ApiError }) {
  return (
    <div className="state-box">
      <div className="row">
        <span className="muted">
          <Icon name="lock" />
        </span>
        <span className="m5">{error.status === 401 ? 'You are not signed in.' : 'You may not read this.'}</span>
      </div>
      <p className="t2">{error.message}</p>
      {error.fix === undefined ? null : <p className="t2">{error.fix}</p>}
    </div>
  )
}

/** Nothing there: one sentence, and the one command or link that fills it. */
export function Empty({ title, children }: { readonly title: string; readonly children?: ReactNode }) {
  return (
    <div className="state-box">
      <div className="m5">{title}</div>
      {children}
    </div>
  )
}
