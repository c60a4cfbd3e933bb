'use strict';
// One press is one request. After a while the button can be pressed again: the line may have lost it.
document.forms[0].addEventListener('submit', event => {
  const button = event.target.querySelector('button');
  const free = () => { button.disabled = false; };
  button.disabled = true;
  setTimeout(free, 5000);
  addEventListener('pageshow', free);
});
