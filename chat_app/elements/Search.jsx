import { useEffect, useRef } from "react"

export default function Search() {
  const host = useRef(null)
  useEffect(() => window.modelwright.mount(host.current, "Search", props, { message: sendUserMessage }), [])
  return <div ref={host} />
}
