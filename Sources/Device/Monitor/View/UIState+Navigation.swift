// What keys change in the view: where one is, what is chosen, how it is shown.
import Telemetry

extension UIState {
  private static var operatorsTab: Int { 4 }
  private static var quantizationTab: Int { 5 }
  private static var driftTab: Int { 6 }
  private static var outputTab: Int { 7 }

  /// More rows than any list has.
  private static var scrollLimit: Int { 100_000 }

  /// Goes to another place or shows it in another way. Actions that are not the view's change nothing.
  public mutating func navigate(_ action: Action, _ snapshot: Snapshot, size: Size) {
    let tabCount = Panel.tabs.count + 1
    let pageRows = max(1, size.rows - 6)
    switch action {
    case .showTab(let tab): show(tab)
    case .nextPanel, .previousPanel:
      let forward = action == .nextPanel
      if tab > 0 {
        show((tab + (forward ? 1 : tabCount - 1)) % tabCount)
      } else {
        choose(forward, size)
      }
    case .nextTab, .previousTab:
      let forward = action == .nextTab
      if tab == Self.quantizationTab {
        moveTensor(forward ? 1 : -1, snapshot)
      } else {
        show((tab + (forward ? 1 : tabCount - 1)) % tabCount)
      }
    case .back: back()
    case .help:
      isHelpShown.toggle()
      helpScroll = 0
    case .zoom:
      isZoomed.toggle()
      if isZoomed, tab == 0 { focus = focus ?? 0 }
    case .details: showDetails(size)
    case .scroll(let rows): move(rows, snapshot, size)
    case .scrollPage(let pages): move(pages * pageRows, snapshot, size)
    case .scrollToStart: move(-Self.scrollLimit, snapshot, size)
    case .scrollToEnd: move(Self.scrollLimit, snapshot, size)
    case .longerWindow: window = ViewWindow(rawValue: window.rawValue + 1) ?? window
    case .shorterWindow:
      if window.rawValue > 0 { window = ViewWindow(rawValue: window.rawValue - 1) ?? window }
    case .sort:
      sort(snapshot)
      show(Self.operatorsTab)
    case .filter:
      isFiltering = true
      filter = []
      scroll = 0
    case .logarithmic: isLogarithmic.toggle()
    case .units: units = units.following
    case .explain:
      isExplained = tab == Self.driftTab ? !isExplained : true
      show(Self.driftTab)
    case .picture:
      isPictureShown = tab == Self.outputTab ? !isPictureShown : true
      show(Self.outputTab)
    case .acknowledge: acknowledgedSeconds = snapshot.elapsedSeconds
    case .palette: theme = theme.following
    case .mouse: isMouseOn.toggle()
    case .click(let column, let row): click(column: column, row: row, snapshot, size)
    default: break
    }
  }

  /// The next order; by work only where that is known.
  private mutating func sort(_ snapshot: Snapshot) {
    order = order.following
    guard order == .work else { return }
    let isKnown = snapshot.operators.contains { $0.fact.multiplyAccumulates != nil }
    if !isKnown { order = order.following }
  }

  private mutating func show(_ newTab: Int) {
    if tab != newTab {
      scroll = 0
      isDetailShown = false
      isZoomed = false
    }
    tab = newTab
    isHelpShown = false
  }

  /// One step out of whatever is open.
  private mutating func back() {
    if isHelpShown {
      isHelpShown = false
    } else if !filter.isEmpty {
      filter = []
    } else if isDetailShown {
      isDetailShown = false
    } else if isPictureShown, tab == Self.outputTab {
      isPictureShown = false
    } else if isZoomed {
      isZoomed = false
    } else if tab > 0 {
      show(0)
    } else {
      focus = nil
    }
  }

  /// The next or the last panel of the overview.
  private mutating func choose(_ forward: Bool, _ size: Size) {
    let count = Layout.fitting(size).shown(on: size).count
    guard count > 0 else { return }
    guard let focus, focus < count else {
      self.focus = forward ? 0 : count - 1
      return
    }
    self.focus = (focus + (forward ? 1 : count - 1)) % count
  }

  private mutating func showDetails(_ size: Size) {
    guard tab == 0 else { return isDetailShown.toggle() }
    let panels = Layout.fitting(size).shown(on: size)
    guard let focus, focus < panels.count else { return }
    if let tab = panels[focus].panel.tab { show(tab) } else { isZoomed.toggle() }
  }

  // MARK: Rows

  private mutating func move(_ rows: Int, _ snapshot: Snapshot, _ size: Size) {
    guard !isHelpShown else {
      helpScroll = min(max(helpScroll + rows, 0), KeyBinding.all.count - 1)
      return
    }
    switch tab {
    case Self.operatorsTab:
      let list = Panel.operatorList(snapshot, self)
      guard !list.isEmpty else { return }
      let at = list.firstIndex { $0.step == step } ?? (rows > 0 ? -1 : 0)
      step = list[min(max(at + rows, 0), list.count - 1)].step
    case Self.quantizationTab: moveTensor(rows * Panel.mapColumns(size.columns - 4), snapshot)
    default: scroll = min(max(scroll + rows, 0), Self.scrollLimit)
    }
  }

  private mutating func moveTensor(_ count: Int, _ snapshot: Snapshot) {
    tensor = min(max(tensor + count, 0), max(0, snapshot.facts.schemeMap.count - 1))
  }

  // MARK: Mouse

  private mutating func click(column: Int, row: Int, _ snapshot: Snapshot, _ size: Size) {
    guard !isHelpShown, size.columns >= 40, size.rows >= 10, !isZoomed else { return }
    if row == 1 {
      if let tab = Header.tab(at: column, self, width: size.columns) { show(tab) }
    } else if tab == 0 {
      let panels = Layout.fitting(size).shown(on: size)
      let hit = panels.firstIndex { $0.holds(column: column, row: row) }
      guard let hit else { return }
      if hit == focus { showDetails(size) } else { focus = hit }
    } else if tab == Self.operatorsTab {
      let shown = Panel.operatorRows(snapshot, self, height: size.rows - 5)
      let index = row - 4
      if row == 3 {
        sort(snapshot)
      } else if shown.indices.contains(index) {
        if step == shown[index].step { isDetailShown.toggle() }
        step = shown[index].step
      }
    } else if tab == Self.quantizationTab {
      let index = Panel.mapIndex(
        column: column - 2, row: row - 3, snapshot, width: size.columns - 4)
      if let index { tensor = index }
    }
  }
}
