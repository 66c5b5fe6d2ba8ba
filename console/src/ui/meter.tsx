// A share of a whole as a bar, four pixels high. The figure stands beside it; the bar says nothing alone.
export function Meter({ share, bad = false }: { readonly share: number; readonly bad?: boolean }) {
  return (
    <span className="meter" aria-hidden="true">
      <i className={bad ? 'bad' : ''} style={{ width: `${Math.min(100, Math.max(0, share * 100)).toFixed(1)}%` }} />
    </span>
  )
}
