import { useEffect, useRef } from "react"

export default function Explanation() {
  const host = useRef(null)
  useEffect(() => window.modelwright.mount(host.current, "Explanation", props, { message: sendUserMessage }), [])
  return <div ref={host} />
}
