import { useEffect, useRef } from "react"
import { useSetRecoilState } from "recoil"
import { sideViewState } from "@chainlit/react-client"

export default function Run() {
  const host = useRef(null)
  const setSide = useSetRecoilState(sideViewState)
  useEffect(() => {
    window.modelwright.mount(host.current, "Run", props)
    // on a narrow screen the panel covers the conversation: it opens when asked for, not by itself
    if (!window.modelwright.panelWanted(props, setSide)) setSide(undefined)
  }, [])
  return <div ref={host} />
}
