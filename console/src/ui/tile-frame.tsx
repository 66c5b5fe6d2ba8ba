// The frame of cards and tiles: a heading, what is beside it, the body, and the foot with source and age. A tile fails
// alone, inside its frame.
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { Freshness } from '../../../src/serve/answers/relations.ts'
import { FreshAge } from './freshness.tsx'
import { State } from './state.tsx'

export function Card({
  title,
  count,
  beside,
  controls,
  children,
  className = '',
  label,
}: {
  readonly title?: ReactNode
  readonly count?: ReactNode
  readonly beside?: ReactNode
  readonly controls?: ReactNode
  readonly children: ReactNode
  readonly className?: string
  readonly label?: string
}) {
  return (
    <section className={`card ${className}`} aria-label={label}>
      {title === undefined ? null : (
        <header>
          <h2>{title}</h2>
          {count === undefined ? null : <span className="muted num">{count}</span>}
          {beside === undefined ? null : <span className="muted s12 cut hide-m">{beside}</span>}
          <span className="sp" />
          {controls}
        </header>
      )}
      {children}
    </section>
  )
}

export interface Source {
  readonly relation: string
  readonly freshness: Freshness
}

function SourceAge({ of }: { readonly of: Freshness }) {
  if (of.state === 'late')
    return (
      <State tone="bad" size={12}>
        <FreshAge of={of} short /> old
      </State>
    )
  if (of.lagMs !== undefined) return <>live</>
  return (
    <>
      <FreshAge of={of} short /> ago
    </>
  )
}

/** A dashboard tile. `span` is its width in twelfths. */
export function TileFrame({
  title,
  beside,
  span,
  small = false,
  sources,
  note,
  children,
}: {
  readonly title?: string | undefined
  readonly beside?: ReactNode
  readonly span: number
  readonly small?: boolean
  readonly sources: readonly Source[]
  readonly note?: string | undefined
  readonly children: ReactNode
}) {
  return (
    <section className={`card tile ${small ? 'small' : ''}`} style={{ gridColumn: `span ${span}` }}>
      {title === undefined ? null : (
        <header>
          <h2>{title}</h2>
          <span className="sp" />
          {beside === undefined ? null : <span className="muted s12">{beside}</span>}
        </header>
      )}
      <div className="in">{children}</div>
      <footer className="row" style={{ gap: 6, minHeight: 27 }}>
        {sources.slice(0, 2).map((source) => (
          <Link key={source.relation} to="/data/$relation" params={{ relation: source.relation }} className="link cut">
            {source.relation}
          </Link>
        ))}
        <span className="sp" />
        <span className="num nowrap">
          {sources[0] === undefined ? null : <SourceAge of={sources[0].freshness} />}
          {note === undefined ? null : ` · ${note}`}
        </span>
      </footer>
    </section>
  )
}
